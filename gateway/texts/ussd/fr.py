"""USSD screens in French, spelt within GSM-7: no c-cedilla, no circumflex, no diaeresis."""

TEXTS = {
    "menu": "1 Solde\n2 Consommation\n3 Recharger\n4 Voter\n5 Mon compte\n0 Quitter",
    "menu_agent": (
        "1 Solde\n2 Consommation\n3 Recharger\n4 Voter\n5 Mon compte\n6 Encaisser\n7 Avance\n"
        "0 Quitter"
    ),
    "agent_menu": "6 Encaisser\n7 Avance\n0 Quitter",
    "accounts": "Quel compte ?",
    "accounts_more": "9 Suite\n0 Quitter",
    "accounts_exit": "0 Quitter",
    "my_account": (
        "1 Langue\n2 Changer le PIN\n3 Derniers paiements\n4 Payer par paybill\n"
        "5 Ticket fiscal\n0 Retour"
    ),
    "my_account_shared": (
        "1 Langue\n2 Changer le PIN\n3 Derniers paiements\n4 Payer par paybill\n5 Ticket fiscal\n"
        "9 Autre compte\n0 Retour"
    ),
    "languages": "1 English\n2 Francais\n3 Kiswahili\n0 Retour",
    "bye": "Au revoir.",
    "unregistered": (
        "Ce téléphone n'a pas encore de compte solaire. Pour vous inscrire, voyez l'agent de "
        "votre site solaire."
    ),
    "unregistered_call": (
        "Ce téléphone n'a pas encore de compte solaire. Pour vous inscrire, voyez l'agent de "
        "votre site ou appelez le {phone}."
    ),
    "funds": "Solde {funds}",
    "days_left_none": "Reste moins d'un jour",
    "days_left_one": "Reste environ 1 jour",
    "days_left_many": "Reste environ {days} jours",
    "days_left_over": "Reste plus de {days} jours",
    "buys": "Soit {kwh} kWh",
    "price": "Prix actuel {price}/kWh",
    "arrears": "Vous devez {arrears}",
    "dai": "{dai} DAI",
    "age_minutes": "Calculé il y a {count} min",
    "age_hours_one": "Calculé il y a 1 heure",
    "age_hours_many": "Calculé il y a {count} heures",
    "age_days_many": "Calculé il y a {count} jours",
    "use_today": "Aujourd'hui : {kwh} kWh",
    "use_yesterday": "Hier : {kwh} kWh",
    "use_7_days": "7 jours : {kwh} kWh",
    "use_30_days": "30 jours : {kwh} kWh",
    "top_up": "Recharger {code}\nTapez le montant, de {least} à {most} :",
    "amount_not_number": "Tapez seulement des chiffres, par ex. 500.",
    "amount_too_small": "Le minimum est {least}.",
    "amount_too_large": "Le maximum est {most}.",
    "confirm": "Payer {amount} pour {code} ?",
    "confirm_arrears": "Jusqu'à {arrears} serviront à régler votre dette.",
    "confirm_choices": "1 Payer\n0 Annuler",
    "cancelled": "Annulé. Rien n'a été payé.",
    "prompt_sent": (
        "Une demande de paiement de {amount} va arriver sur ce téléphone. Validez-la avec le "
        "code de votre mobile money. Un SMS confirmera."
    ),
    "no_prompts": "Pas de demande de paiement possible ici.",
    "site_closed": (
        "Ce site est fermé et n'accepte plus de recharge. Pour votre solde, voyez votre agent."
    ),
    "paybill": (
        "Payez par {service} : numéro {number}, compte {code}, puis le montant. Un SMS confirmera."
    ),
    "no_paybill": "Ce site n'a pas de paybill. Pour payer, voyez votre agent.",
    "agent_float": "Votre avance est de {left}.",
    "cash_code": "Encaisser\nTapez le code de compte du client :\n0 Retour",
    "cash_no_account": "Votre site n'a pas ce compte.",
    "cash_amount": "Encaisser pour {code}\nTapez le montant, de {least} à {most} :",
    "cash_float_small": "Votre avance n'est que de {left}.",
    "cash_confirm": "Encaisser {amount} pour {code} ?",
    "cash_float_after": "Votre avance sera de {left}.",
    "cash_choices": "1 Encaisser\n0 Annuler",
    "cash_pin": "{amount} pour {code}\nTapez votre PIN d'agent (4 chiffres) :\n0 Annuler",
    "cash_sent": "Argent pour {code} : le SMS sur ce téléphone dira ce qui est enregistré.",
    "cash_booked": "{amount} enregistré pour {code}. Réf. {reference}.",
    "cash_float_gone": "Rien n'a été enregistré. Votre avance n'est que de {left}.",
    "cash_closed": "Votre site n'encaisse pas d'argent en ce moment. Voyez votre opérateur.",
    "vote_not_open": "Aucun vote n'est ouvert. Un SMS vous préviendra du prochain.",
    "vote": "Vote {number}. Tapez vos choix, ex. 13 :",
    "vote_project": "{number} {title}, {cost}",
    "vote_more": "9 Suite\n0 Retour",
    "vote_back": "0 Retour",
    "vote_no_project": "Tapez des numéros de la liste, ex. 13.",
    "vote_pin": "Vous votez pour :",
    "vote_pin_type": "Tapez votre PIN (4 chiffres) :\n0 Retour",
    "vote_sent": "Un SMS vous donnera le récépissé de votre vote.",
    "vote_done": (
        "{code} a voté au vote {number}. Récépissé {receipt}, publié sans nom. "
        "Un vote ne se change pas."
    ),
    "language_set": "C'est fait. Vos messages seront en francais.",
    "pin_old": "Tapez votre PIN actuel (4 chiffres) :\n0 Retour",
    "pin_new": "Tapez un nouveau PIN (4 chiffres) :\n0 Retour",
    "pin_again": "Retapez le nouveau PIN :\n0 Retour",
    "pin_not_four": "Un PIN a 4 chiffres.",
    "pin_weak": "Ce PIN est trop facile à deviner.",
    "pin_same": "Choisissez un PIN différent de l'ancien.",
    "pin_mismatch": "Les deux PIN sont différents.",
    "pin_changed": "Votre PIN est changé. Ne le dites à personne.",
    "receipt": "Ticket {number}",
    "credit_note": "Avoir {number}",
    "receipt_waiting": "Pas encore signé par le fisc.",
    "no_receipt": "Pas encore de ticket fiscal.",
    "no_payments": "Aucun paiement pour le moment.",
    "payments": "Derniers paiements",
    "payment": "{day} {amount} {reference}",
    "payment_short": "{day} {amount}",
    "wrong_choice": "Choisissez un numéro de la liste.",
    "too_many_tries": (
        "Trop d'erreurs. Rien n'a été payé ni changé. Recomposez le code pour recommencer."
    ),
    "too_long": "C'est trop long. Recomposez le code et avancez une étape à la fois.",
    "refused_wrong_pin": "PIN incorrect. Votre PIN n'a pas été changé.",
    "refused_cash_wrong_pin": "PIN incorrect. Rien n'a été enregistré.",
    "refused_cash_not_booked": (
        "Rien n'a été enregistré. Vérifiez le code du compte et recommencez."
    ),
    "refused_vote_wrong_pin": "PIN incorrect. Votre vote n'a pas été pris.",
    "refused_vote_closed": (
        "Votre vote n'a pas été pris : le vote est clos ou a changé. Recomposez le code."
    ),
    "refused_pin_locked": "Trop de PIN incorrects. Réessayez plus tard ou voyez votre agent.",
    "refused_prompt_open": (
        "Une demande de paiement attend déjà sur votre téléphone. Répondez-y d'abord."
    ),
    "refused_try_later": (
        "Cela ne marche pas en ce moment. Recomposez le code dans quelques minutes."
    ),
}
