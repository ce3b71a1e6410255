"""USSD screens in English."""

TEXTS = {
    # menus: every line that begins with a digit is a choice
    "menu": "1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n0 Exit",
    "menu_agent": (
        "1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n6 Take cash\n7 Float\n0 Exit"
    ),
    "agent_menu": "6 Take cash\n7 Float\n0 Exit",
    "accounts": "Which account?",
    "accounts_more": "9 More\n0 Exit",
    "accounts_exit": "0 Exit",
    "my_account": "1 Language\n2 Change PIN\n3 Last payments\n4 Pay by paybill\n5 Receipt\n0 Back",
    "my_account_shared": (
        "1 Language\n2 Change PIN\n3 Last payments\n4 Pay by paybill\n5 Receipt\n"
        "9 Other account\n0 Back"
    ),
    "languages": "1 English\n2 Francais\n3 Kiswahili\n0 Back",
    "bye": "Goodbye.",
    # who is this
    "unregistered": (
        "This phone has no solar account yet. To register, see the operator of your solar site."
    ),
    "unregistered_call": (
        "This phone has no solar account yet. To register, see the operator of your solar site "
        "or call {phone}."
    ),
    # balance
    "funds": "Balance {funds}",
    "days_left_none": "Less than 1 day left",
    "days_left_one": "About 1 day left",
    "days_left_many": "About {days} days left",
    "days_left_over": "More than {days} days left",
    "buys": "Buys {kwh} kWh",
    "price": "Price now {price}/kWh",
    "arrears": "You owe {arrears}",
    "dai": "{dai} DAI",
    "age_minutes": "Updated {count} min ago",
    "age_hours_one": "Updated 1 hour ago",
    "age_hours_many": "Updated {count} hours ago",
    "age_days_many": "Updated {count} days ago",
    # usage
    "use_today": "Today: {kwh} kWh",
    "use_yesterday": "Yesterday: {kwh} kWh",
    "use_7_days": "7 days: {kwh} kWh",
    "use_30_days": "30 days: {kwh} kWh",
    # top-up
    "top_up": "Top up {code}\nType the amount, {least} to {most}:",
    "amount_not_number": "Type digits only, like 500.",
    "amount_too_small": "The least is {least}.",
    "amount_too_large": "The most is {most}.",
    "confirm": "Pay {amount} for {code}?",
    "confirm_arrears": "Up to {arrears} of it pays what you owe.",
    "confirm_choices": "1 Pay\n0 Cancel",
    "cancelled": "Cancelled. Nothing was paid.",
    "prompt_sent": (
        "You will get a payment prompt for {amount} on this phone. Enter your mobile money PIN "
        "there. We confirm by SMS."
    ),
    "no_prompts": "We cannot send payment prompts now.",
    "site_closed": (
        "This site is closed and takes no top-ups. For your balance, see your operator."
    ),
    "paybill": (
        "Pay by {service}: business number {number}, account {code}, then the amount. "
        "We confirm by SMS."
    ),
    "no_paybill": "There is no paybill for this site. See your operator to pay.",
    # cash, for agents
    "agent_float": "Your float is {left}.",
    "cash_code": "Take cash\nType the customer's account code:\n0 Back",
    "cash_no_account": "Your site has no such account.",
    "cash_amount": "Cash for {code}\nType the amount, {least} to {most}:",
    "cash_float_small": "Your float is only {left}.",
    "cash_confirm": "Take {amount} in cash for {code}?",
    "cash_float_after": "Your float is then {left}.",
    "cash_choices": "1 Take\n0 Cancel",
    "cash_pin": "{amount} for {code}\nType your agent PIN (4 digits):\n0 Cancel",
    "cash_sent": "Cash for {code}: the SMS to this phone tells what was booked.",
    "cash_booked": "{amount} booked for {code}. Receipt {reference}.",
    "cash_float_gone": "Nothing was booked. Your float is only {left}.",
    "cash_closed": "Your site takes no cash now. See your operator.",
    # vote
    "vote_not_open": "No vote is open now. We will send you an SMS when one opens.",
    "vote": "Vote {number}. Type your choices, like 13:",
    "vote_project": "{number} {title}, {cost}",
    "vote_more": "9 More\n0 Back",
    "vote_back": "0 Back",
    "vote_no_project": "Type numbers from the list, like 13.",
    "vote_pin": "You vote for:",
    "vote_pin_type": "Type your PIN (4 digits):\n0 Back",
    "vote_sent": "The SMS to your phone tells the receipt of your vote.",
    "vote_done": (
        "{code} has voted in vote {number}. Receipt {receipt}. It is published without a name. "
        "A vote can't be changed."
    ),
    # my account
    "language_set": "Done. Your messages will be in English.",
    "pin_old": "Type your present PIN (4 digits):\n0 Back",
    "pin_new": "Type a new PIN (4 digits):\n0 Back",
    "pin_again": "Type the new PIN again:\n0 Back",
    "pin_not_four": "A PIN has 4 digits.",
    "pin_weak": "That PIN is too easy to guess.",
    "pin_same": "The new PIN must differ from the old one.",
    "pin_mismatch": "The two PINs were not the same.",
    "pin_changed": "Your PIN is changed. Tell it to nobody.",
    "receipt": "Receipt {number}",
    "credit_note": "Credit note {number}",
    "receipt_waiting": "The tax office has not signed it yet.",
    "no_receipt": "No tax receipt yet.",
    "no_payments": "No payments yet.",
    "payments": "Last payments",
    "payment": "{day} {amount} {reference}",
    "payment_short": "{day} {amount}",
    # going wrong
    "wrong_choice": "Choose a number from the list.",
    "too_many_tries": "Too many wrong entries. Nothing was paid or changed. Dial again to start.",
    "too_long": "That was too long. Dial again and choose one step at a time.",
    "refused_wrong_pin": "Wrong PIN. Your PIN was not changed.",
    "refused_cash_wrong_pin": "Wrong PIN. Nothing was booked.",
    "refused_cash_not_booked": "Nothing was booked. Check the account code and dial again.",
    "refused_vote_wrong_pin": "Wrong PIN. Your vote was not taken.",
    "refused_vote_closed": "Your vote was not taken: the vote has closed or changed. Dial again.",
    "refused_pin_locked": "Too many wrong PINs. Try again later or see your operator.",
    "refused_prompt_open": "A payment prompt is already open on your phone. Answer that one first.",
    "refused_try_later": "This does not work right now. Please dial again in a few minutes.",
}
