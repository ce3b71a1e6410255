"""USSD screens in Swahili."""

TEXTS = {
    "menu": "1 Salio\n2 Matumizi\n3 Ongeza salio\n4 Piga kura\n5 Akaunti yangu\n0 Toka",
    "menu_agent": (
        "1 Salio\n2 Matumizi\n3 Ongeza salio\n4 Piga kura\n5 Akaunti yangu\n6 Pokea pesa\n"
        "7 Salio la wakala\n0 Toka"
    ),
    "agent_menu": "6 Pokea pesa\n7 Salio la wakala\n0 Toka",
    "accounts": "Akaunti gani?",
    "accounts_more": "9 Zaidi\n0 Toka",
    "accounts_exit": "0 Toka",
    "my_account": (
        "1 Lugha\n2 Badilisha PIN\n3 Malipo ya karibuni\n4 Lipa kwa paybill\n5 Risiti\n0 Rudi"
    ),
    "my_account_shared": (
        "1 Lugha\n2 Badilisha PIN\n3 Malipo ya karibuni\n4 Lipa kwa paybill\n5 Risiti\n"
        "9 Akaunti nyingine\n0 Rudi"
    ),
    "languages": "1 English\n2 Francais\n3 Kiswahili\n0 Rudi",
    "bye": "Kwaheri.",
    "unregistered": (
        "Simu hii bado haina akaunti ya umeme wa jua. Ili kujisajili, mwone wakala wa kituo "
        "chako cha umeme."
    ),
    "unregistered_call": (
        "Simu hii bado haina akaunti ya umeme wa jua. Ili kujisajili, mwone wakala wa kituo "
        "chako au piga simu {phone}."
    ),
    "funds": "Salio {funds}",
    "days_left_none": "Haitoshi siku 1",
    "days_left_one": "Inatosha takriban siku 1",
    "days_left_many": "Inatosha takriban siku {days}",
    "days_left_over": "Inatosha zaidi ya siku {days}",
    "buys": "Sawa na {kwh} kWh",
    "price": "Bei sasa {price}/kWh",
    "arrears": "Unadaiwa {arrears}",
    "dai": "{dai} DAI",
    "age_minutes": "Hali ya dakika {count} zilizopita",
    "age_hours_one": "Hali ya saa 1 iliyopita",
    "age_hours_many": "Hali ya saa {count} zilizopita",
    "age_days_many": "Hali ya siku {count} zilizopita",
    "use_today": "Leo: {kwh} kWh",
    "use_yesterday": "Jana: {kwh} kWh",
    "use_7_days": "Siku 7: {kwh} kWh",
    "use_30_days": "Siku 30: {kwh} kWh",
    "top_up": "Ongeza salio {code}\nAndika kiasi, {least} hadi {most}:",
    "amount_not_number": "Andika tarakimu tu, mfano 500.",
    "amount_too_small": "Kiasi cha chini ni {least}.",
    "amount_too_large": "Kiasi cha juu ni {most}.",
    "confirm": "Ulipe {amount} kwa {code}?",
    "confirm_arrears": "Hadi {arrears} zitalipa deni lako.",
    "confirm_choices": "1 Lipa\n0 Ghairi",
    "cancelled": "Imeghairiwa. Hakuna kilicholipwa.",
    "prompt_sent": (
        "Utapokea ombi la malipo ya {amount} kwenye simu hii. Weka PIN yako ya pesa za simu "
        "hapo. Tutathibitisha kwa SMS."
    ),
    "no_prompts": "Hatuwezi kutuma ombi la malipo sasa.",
    "site_closed": (
        "Kituo hiki kimefungwa na hakipokei malipo. Kuhusu salio lako, mwone wakala wako."
    ),
    "paybill": (
        "Lipa kwa {service}: namba ya biashara {number}, akaunti {code}, kisha kiasi. "
        "Tutathibitisha kwa SMS."
    ),
    "no_paybill": "Kituo hiki hakina paybill. Ili kulipa, mwone wakala wako.",
    "agent_float": "Salio la wakala {left}.",
    "cash_code": "Pokea pesa\nAndika namba ya akaunti ya mteja:\n0 Rudi",
    "cash_no_account": "Kituo chako hakina akaunti hiyo.",
    "cash_amount": "Pesa za {code}\nAndika kiasi, {least} hadi {most}:",
    "cash_float_small": "Salio lako la wakala ni {left} tu.",
    "cash_confirm": "Upokee {amount} taslimu kwa {code}?",
    "cash_float_after": "Salio la wakala litakuwa {left}.",
    "cash_choices": "1 Pokea\n0 Ghairi",
    "cash_pin": "{amount} kwa {code}\nAndika PIN yako ya wakala (tarakimu 4):\n0 Ghairi",
    "cash_sent": "Pesa za {code}: SMS kwenye simu hii itasema kilichoandikwa.",
    "cash_booked": "{amount} zimeingia kwa {code}. Risiti {reference}.",
    "cash_float_gone": "Hakuna kilichoingia. Salio lako la wakala ni {left} tu.",
    "cash_closed": "Kituo chako hakipokei pesa taslimu sasa. Mwone msimamizi wako.",
    "vote_not_open": "Hakuna kura iliyo wazi sasa. Tutakutumia SMS kura ikifunguliwa.",
    "vote": "Kura {number}. Andika chaguo, mfano 13:",
    "vote_project": "{number} {title}, {cost}",
    "vote_more": "9 Zaidi\n0 Rudi",
    "vote_back": "0 Rudi",
    "vote_no_project": "Andika namba za orodha, mfano 13.",
    "vote_pin": "Unapigia kura:",
    "vote_pin_type": "Andika PIN yako (tarakimu 4):\n0 Rudi",
    "vote_sent": "SMS kwenye simu yako itasema risiti ya kura yako.",
    "vote_done": (
        "{code} imepiga kura {number}. Risiti {receipt}, itatangazwa bila jina. "
        "Kura haiwezi kubadilishwa."
    ),
    "language_set": "Tayari. Ujumbe wako utakuwa kwa Kiswahili.",
    "pin_old": "Andika PIN yako ya sasa (tarakimu 4):\n0 Rudi",
    "pin_new": "Andika PIN mpya (tarakimu 4):\n0 Rudi",
    "pin_again": "Andika PIN mpya tena:\n0 Rudi",
    "pin_not_four": "PIN ina tarakimu 4.",
    "pin_weak": "PIN hiyo ni rahisi kukisiwa.",
    "pin_same": "PIN mpya lazima iwe tofauti na ya zamani.",
    "pin_mismatch": "PIN mbili ulizoandika hazifanani.",
    "pin_changed": "PIN yako imebadilishwa. Usimwambie mtu yeyote.",
    "receipt": "Risiti {number}",
    "credit_note": "Hati ya marejesho {number}",
    "receipt_waiting": "Bado haijatiwa sahihi na mamlaka ya kodi.",
    "no_receipt": "Bado hakuna risiti ya kodi.",
    "no_payments": "Bado hakuna malipo.",
    "payments": "Malipo ya karibuni",
    "payment": "{day} {amount} {reference}",
    "payment_short": "{day} {amount}",
    "wrong_choice": "Chagua namba iliyo kwenye orodha.",
    "too_many_tries": (
        "Umekosea mara nyingi. Hakuna kilicholipwa wala kubadilishwa. Piga tena ili kuanza."
    ),
    "too_long": "Ni ndefu mno. Piga tena na uchague hatua moja moja.",
    "refused_wrong_pin": "PIN si sahihi. PIN yako haijabadilishwa.",
    "refused_cash_wrong_pin": "PIN si sahihi. Hakuna kilichoingia.",
    "refused_cash_not_booked": "Hakuna kilichoingia. Angalia namba ya akaunti na upige tena.",
    "refused_vote_wrong_pin": "PIN si sahihi. Kura yako haijapokelewa.",
    "refused_vote_closed": (
        "Kura yako haijapokelewa: kura imefungwa au imebadilika. Tafadhali piga tena."
    ),
    "refused_pin_locked": "Umekosea PIN mara nyingi. Jaribu baadaye au mwone wakala wako.",
    "refused_prompt_open": "Ombi la malipo tayari liko kwenye simu yako. Lijibu hilo kwanza.",
    "refused_try_later": "Haiwezekani kwa sasa. Tafadhali piga tena baada ya dakika chache.",
}
