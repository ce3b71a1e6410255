"""SMS messages in English."""

TEXTS = {
    "received": "{amount} received for {code}. Receipt {receipt}.",
    "deposit": "{amount} received for {code}: {crypto}. Transfer {receipt}.",
    "arrears_taken": "{arrears} of it paid what you owed.",
    "refunded": "{amount} paid for {code} was given back to the payer.",
    "reversed": "{amount} paid for {code} was taken back by the payer or their bank.",
    "receipt_named": "Receipt {receipt}.",
    "balance": "Balance {funds}.",
    "code_balance": "{code}: balance {funds}.",
    "lasts": "About {days} days, {kwh} kWh.",
    "lasts_one": "About 1 day, {kwh} kWh.",
    "lasts_none": "Less than 1 day, {kwh} kWh.",
    "lasts_energy": "About {kwh} kWh.",
    "low": "{code}: only {funds} left.",
    "dial_to_top_up": "Dial {ussd_code} to top up.",
    "failed": "Your payment of {amount} for {code} failed: {reason}. No money was taken.",
    "failed_cancelled": "you cancelled it",
    "failed_timeout": "no answer in time",
    "failed_insufficient": "not enough mobile money",
    "failed_wrong_pin": "wrong PIN",
    "failed_other": "the payment service refused it",
    "dial_to_retry": "To try again dial {ussd_code}.",
    "suspense": "We have your {amount}, receipt {receipt}, but no account {account}. It is safe.",
    "suspense_call": "Call {phone} with your account code.",
    "suspense_operator": "Give your account code to your operator.",
    "price": "Price now {price}/kWh.",
    "arrears": "You owe {arrears}.",
    "dai": "{dai} DAI.",
    "usage": "{code} used",
    "use_today": "today: {kwh} kWh{cost}",
    "use_yesterday": "yesterday: {kwh} kWh{cost}",
    "use_day": "1 day: {kwh} kWh{cost}",
    "use_days": "{days} days: {kwh} kWh{cost}",
    "help": (
        "Send BAL for balance, USE for usage, TOPUP 500 to pay, LAST for payments, "
        "LANG EN, FR or SW, STOP for no more SMS."
    ),
    "help_dial": "Or dial {ussd_code}.",
    "help_call": "Help: {phone}.",
    "no_payments": "{code}: no payments yet.",
    "payments": "{code} payments:",
    "payment": "{day} {amount} {receipt}",
    "payment_short": "{day} {amount}",
    "receipt": "{code}: receipt {number} of {day}, {amount}.",
    "credit_note": "{code}: credit note {number} of {day}, {amount} given back.",
    "receipt_taxes": "Tax in it: {taxes}.",
    "receipt_signed": "Signed {signature}.",
    "receipt_waiting": "The tax office has not signed it yet.",
    "receipt_unsigned": "Keep this message as your receipt.",
    "no_receipt": "{code}: no tax receipt yet. Send LAST for your payments.",
    "language_set": "Done. Your messages will be in English.",
    "prompt_sent": (
        "{code}: a payment prompt for {amount} is coming to your phone. "
        "Enter your mobile money PIN there. Never send a PIN by SMS."
    ),
    "unknown_word": "We did not understand. Send HELP for the words you can use.",
    "try_later": "This does not work right now. Please send it again in a few minutes.",
    "vote_not_open": "No vote is open now. We will send you an SMS when one opens.",
    "rate": (
        "The exchange rate of the month has changed. The balance of {code} is still {funds}: "
        "you lose nothing."
    ),
    "rate_published": (
        "From {day} on 1 DAI is {rate}. The balance of {code} in local money will not shrink: "
        "you lose nothing."
    ),
    "which_account": "Several accounts use this phone: {codes}. Add the code, like BAL {code}.",
    "unregistered": "This phone has no solar account yet. See the operator of your solar site.",
    "unregistered_call": "This phone has no solar account yet. To register call {phone}.",
    "amount_wrong": "Send TOPUP and an amount from {least} to {most}, like TOPUP {example}.",
    "paybill": "{code}: pay by {service}, business number {number}, account {code}.",
    "no_paybill": "{code}: we cannot take mobile money now. See your operator to pay.",
    "cash_taken": "You took {amount} in cash for {code}. Receipt {receipt}.",
    "float_left": "Your float is {left}.",
    "float": "{code}: your float is {left}.",
    "stopped": "You will get no more SMS from us. Send START to get them again.",
    "started": "Welcome back. You will get our SMS again. Send HELP for the words you can use.",
}
