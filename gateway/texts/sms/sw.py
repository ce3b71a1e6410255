"""SMS messages in Swahili."""

TEXTS = {
    "received": "Tumepokea {amount} kwa {code}. Risiti {receipt}.",
    "deposit": "Tumepokea {amount} kwa {code}: {crypto}. Muamala {receipt}.",
    "arrears_taken": "{arrears} zimelipa deni lako.",
    "refunded": "Malipo ya {amount} kwa {code} yamerudishwa kwa mlipaji.",
    "reversed": "Malipo ya {amount} kwa {code} yamechukuliwa tena na mlipaji au benki yake.",
    "receipt_named": "Risiti {receipt}.",
    "balance": "Salio {funds}.",
    "code_balance": "{code}: salio {funds}.",
    "lasts": "Takriban siku {days}, {kwh} kWh.",
    "lasts_one": "Takriban siku 1, {kwh} kWh.",
    "lasts_none": "Haitoshi siku 1, {kwh} kWh.",
    "lasts_energy": "Takriban {kwh} kWh.",
    "low": "{code}: salio limebaki {funds} tu.",
    "dial_to_top_up": "Piga {ussd_code} kuongeza salio.",
    "failed": "Malipo yako ya {amount} kwa {code} hayakufaulu: {reason}. Hakuna pesa iliyokatwa.",
    "failed_cancelled": "umeghairi",
    "failed_timeout": "hukujibu kwa wakati",
    "failed_insufficient": "pesa za simu hazitoshi",
    "failed_wrong_pin": "PIN si sahihi",
    "failed_other": "huduma ya malipo imekataa",
    "dial_to_retry": "Kujaribu tena piga {ussd_code}.",
    "suspense": (
        "Tumepokea {amount}, risiti {receipt}, lakini hakuna akaunti {account}. "
        "Pesa zako ziko salama."
    ),
    "suspense_call": "Piga {phone} ukiwa na namba ya akaunti.",
    "suspense_operator": "Mpe wakala wako namba ya akaunti.",
    "price": "Bei sasa {price}/kWh.",
    "arrears": "Unadaiwa {arrears}.",
    "dai": "{dai} DAI.",
    "usage": "{code} matumizi:",
    "use_today": "leo: {kwh} kWh{cost}",
    "use_yesterday": "jana: {kwh} kWh{cost}",
    "use_day": "siku 1: {kwh} kWh{cost}",
    "use_days": "siku {days}: {kwh} kWh{cost}",
    "help": (
        "Tuma SALIO, MATUMIZI, ONGEZA 500 kulipa, MALIPO, LUGHA EN, FR au SW, "
        "au ACHA kusimamisha SMS."
    ),
    "help_dial": "Au piga {ussd_code}.",
    "help_call": "Msaada: {phone}.",
    "no_payments": "{code}: bado hakuna malipo.",
    "payments": "{code} malipo:",
    "payment": "{day} {amount} {receipt}",
    "payment_short": "{day} {amount}",
    "receipt": "{code}: risiti {number} ya {day}, {amount}.",
    "credit_note": "{code}: hati ya marejesho {number} ya {day}, {amount} zimerudishwa.",
    "receipt_taxes": "Kodi ndani yake: {taxes}.",
    "receipt_signed": "Sahihi {signature}.",
    "receipt_waiting": "Bado haijatiwa sahihi na mamlaka ya kodi.",
    "receipt_unsigned": "Tunza ujumbe huu kama risiti.",
    "no_receipt": "{code}: bado hakuna risiti ya kodi. Tuma MALIPO kuona malipo yako.",
    "language_set": "Tayari. Ujumbe wako utakuwa kwa Kiswahili.",
    "prompt_sent": (
        "{code}: ombi la malipo ya {amount} linakuja kwenye simu yako. "
        "Weka PIN ya pesa za simu hapo. Usitume PIN kwa SMS."
    ),
    "unknown_word": "Hatujaelewa. Tuma MSAADA kupata orodha ya maneno.",
    "try_later": "Haiwezekani kwa sasa. Tafadhali tuma tena baada ya dakika chache.",
    "vote_not_open": "Hakuna kura iliyo wazi sasa. Tutakutumia SMS kura ikifunguliwa.",
    "round_opened": "Kura {number} iko wazi hadi {day}: {title}.",
    "round_dial": "Piga {ussd_code}, chagua 4.",
    "round_sms": "Au tuma KURA {number} kuona miradi.",
    "round_counted": "Kura {number} imehesabiwa. Pesa zinaenda kwa: {titles}.",
    "round_nothing": "Kura {number} imehesabiwa. Hakuna mradi uliopata pesa.",
    "round_cancelled": "Kura {number} imesitishwa: {news}",
    "vote_received": "{code} imepiga kura {number}. Risiti {receipt}.",
    "vote_again": "{code} ilikwisha piga kura {number}, mara moja tu. Risiti {receipt}.",
    "vote_stays": "Itatangazwa bila jina.",
    "vote_how": "Kura {number}: {projects}.",
    "vote_send": "Tuma KURA {number} na namba unazochagua, mfano KURA {number} {example}.",
    "project_news": "{title} (kura {number}): {news}",
    "project_vetoed": "{title} (kura {number}) hautalipwa: {news}",
    "proposal_made": "{code} imependekeza kwa kura ijayo: {title}.",
    "proposal_stranger": "Kama si mmoja wenu, mwambie wakala wako.",
    "payout_paid": "{site} imekulipa {amount}.",
    "payout_returned": "{amount} ulizolipwa na {site} zimerudi. Mwendeshaji atashughulikia.",
    "rate": (
        "Kiwango cha kubadilisha pesa cha mwezi kimebadilika. Salio la {code} bado ni {funds}: "
        "hupotezi kitu."
    ),
    "rate_published": (
        "Kuanzia {day} DAI 1 ni {rate}. Salio la {code} kwa pesa ya hapa halitapungua: "
        "hupotezi kitu."
    ),
    "which_account": (
        "Akaunti kadhaa zinatumia simu hii: {codes}. Ongeza namba, mfano SALIO {code}."
    ),
    "unregistered": "Simu hii bado haina akaunti ya umeme wa jua. Mwone wakala wa kituo chako.",
    "unregistered_call": (
        "Simu hii bado haina akaunti ya umeme wa jua. Ili kujisajili piga simu {phone}."
    ),
    "amount_wrong": "Tuma ONGEZA na kiasi kati ya {least} na {most}, mfano ONGEZA {example}.",
    "paybill": "{code}: lipa kwa {service}, namba ya biashara {number}, akaunti {code}.",
    "no_paybill": "{code}: hatupokei pesa za simu sasa. Ili kulipa, mwone wakala wako.",
    "cash_taken": "Umepokea {amount} taslimu kwa {code}. Risiti {receipt}.",
    "float_left": "Salio la wakala {left}.",
    "float": "{code}: salio la wakala {left}.",
    "proof": "Tokeni za {code}: {url}",
    "proof_secret": "Ni siri yako.",
    "proof_none": "{code}: bado hakuna uthibitisho. Utakuja siku ya kituo ikifungwa.",
    "wallet": "{code}: kuanzia {day} tokeni zako zitaenda kwenye pochi {wallet}.",
    "wallet_not_you": "Si wewe? Tuma USHAHIDI HAPANA {code}.",
    "wallet_refused": "{code}: pochi mpya imekataliwa. Hakuna kilichobadilika.",
    "wallet_none": "{code}: hakuna pochi mpya inayosubiri. Kubadilisha, mwone wakala wako.",
    "stopped": "Hutapata tena SMS zetu. Tuma ANZA ili uzipate tena.",
    "started": "Karibu tena. Utapata SMS zetu. Tuma MSAADA kupata orodha ya maneno.",
}
