"""Stripe in test mode: Checkout, payment intents, subscriptions by the month, refunds, disputes,
payouts, signed webhooks.

The API is `<sandbox>/stripe/v1/...`; give `<sandbox>/stripe` to a client as its base address.
Any key `sk_test_...` opens the one account. Objects have the shape of `api.API_VERSION`.

What comes later comes by the sandbox's clock: a charge's balance transaction (and its fee) 1 s
after `charge.succeeded`, told by `charge.updated`; the network's reference of a card refund 1 s
after it (`refund.updated` without a change of status); a dispute 1.5 s after its card was
charged; the end of a pending or doomed refund and of a bank debit 2 s later; `payout.paid` 1 s
after the payout; funds are available after two days; the next month of a subscription is charged
when it begins, a refused one again after three days, three times. `/stripe/simulator/` does
sooner, or does at all, what payers and banks do; bodies and answers are JSON, amounts in the API's
units (`amount_minor`) unless `amount` is written as people do (`"12.50"`), refusals have Stripe's
error body:

| call | body |
| --- | --- |
| `GET checkout` | open sessions, newest first: `id`, `amount`, `amount_total`, `currency`, `url` |
| `POST checkout/<session>` | `{"card": "4242..."}` (also `expiry`, `cvc`, `email`, `name`), or a |
| | bank debit `{"account": "000123456789"}` (USD) or an IBAN (EUR), or `{"cancel": true}`; |
| | answers `id`, `status`, `payment_status`, `payment_intent`, `charge`, `amount_total`, |
| | `currency`, `redirect`; a declined card is 402, a session that is not open 400 |
| `POST payment` | `{"amount" or "amount_minor", "currency", "card", "metadata"}`: somebody pays |
| | without a session; answers the payment intent |
| `POST payment_intents/<id>/settle` | `{"succeed": true or false}`: a bank debit ends now |
| `POST charges/<id>/dispute` | `{"reason", "amount_minor", "inquiry": true}`, all optional; the |
| | id may be a payment intent's |
| `POST charges/<id>/refund` | `{"amount_minor", "reason"}`, both optional: a refund made in the |
| | dashboard; the id may be a payment intent's |
| `POST charges/<id>/told` | `{"amount_minor", "currency"}`: what it says was charged from now on |
| `POST refunds/<id>` | `{"status": "succeeded" or "failed", "failure_reason"}` |
| `POST disputes/<id>/close` | `{"status": "won" or "lost"}` |
| `POST subscriptions/<id>/month` | a month passes for it alone: the next one is charged now |
| `POST subscriptions/<id>/card` | `{"card": "4242...", "pay": true}`: another card is given; |
| | `4000000000000341` refuses every charge; `pay`, optional, charges what is open |
| `POST subscriptions/<id>/cancel` | canceled in the dashboard |
| `POST payout` | `{"amount" or "amount_minor", "currency"}`: the treasury takes money out |
| `POST events` | `{"type", "object"}`: an event of any type about anything |
| `POST events/<id>/resend` | the event again, freshly signed |
| `POST events/<id>/forge` | `{"kind": "bad_signature", "old_timestamp", "no_signature", |
| | "wrong_scheme", "truncated" (signed whole) or "malformed" (signed cut), "changes": {...}}`: |
| | a delivery that must be refused; changes are laid over the event's object |
| `GET callbacks`, `faults` | as for every service; the topic of a callback is the event's type; |
| | own faults: `key_in_use`, `rate_limited`, `server_error` |

Events go to `<product>/hooks/stripe`, signed with `Credentials.stripe_webhook_secret`, and to the
endpoints made by the API; ten attempts, 3 s apart, in no order. The cards and accounts that test
mode knows are in `cards.py`.
"""
