"""USSD screens in Swahili."""

TEXTS = {
    "menu": "1 Salio\n2 Matumizi\n3 Ongeza salio\n4 Piga kura\n5 Akaunti yangu\n0 Toka",
    "accounts": "Akaunti gani?",
    "accounts_more": "9 Zaidi\n0 Toka",
    "accounts_exit": "0 Toka",
    "my_account": "1 Lugha\n2 Badilisha PIN\n3 Malipo ya karibuni\n4 Lipa kwa paybill\n0 Rudi",
    "my_account_shared": (
        "1 Lugha\n2 Badilisha PIN\n3 Malipo ya karibuni\n4 Lipa kwa paybill\n"
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
    "vote_not_open": "Hakuna kura iliyo wazi sasa. Tutakutumia SMS kura ikifunguliwa.",
    "language_set": "Tayari. Ujumbe wako utakuwa kwa Kiswahili.",
    "pin_old": "Andika PIN yako ya sasa (tarakimu 4):\n0 Rudi",
    "pin_new": "Andika PIN mpya (tarakimu 4):\n0 Rudi",
    "pin_again": "Andika PIN mpya tena:\n0 Rudi",
    "pin_not_four": "PIN ina tarakimu 4.",
    "pin_weak": "PIN hiyo ni rahisi kukisiwa.",
    "pin_same": "PIN mpya lazima iwe tofauti na ya zamani.",
    "pin_mismatch": "PIN mbili ulizoandika hazifanani.",
    "pin_changed": "PIN yako imebadilishwa. Usimwambie mtu yeyote.",
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
    "refused_pin_locked": "Umekosea PIN mara nyingi. Jaribu baadaye au mwone wakala wako.",
    "refused_prompt_open": "Ombi la malipo tayari liko kwenye simu yako. Lijibu hilo kwanza.",
    "refused_try_later": "Haiwezekani kwa sasa. Tafadhali piga tena baada ya dakika chache.",
}
