"""SMS messages in French, spelt within GSM-7: no c-cedilla, no circumflex, no diaeresis."""

TEXTS = {
    "received": "Paiement de {amount} enregistré pour {code}. Référence {receipt}.",
    "deposit": "Paiement de {amount} enregistré pour {code} : {crypto}. Transfert {receipt}.",
    "arrears_taken": "Dont {arrears} pour votre dette.",
    "refunded": "Paiement de {amount} pour {code} rendu au payeur.",
    "reversed": "Paiement de {amount} pour {code} repris par le payeur ou sa banque.",
    "receipt_named": "Référence {receipt}.",
    "balance": "Solde {funds}.",
    "code_balance": "{code} : solde {funds}.",
    "lasts": "Environ {days} jours, {kwh} kWh.",
    "lasts_one": "Environ 1 jour, {kwh} kWh.",
    "lasts_none": "Moins d'un jour, {kwh} kWh.",
    "lasts_energy": "Environ {kwh} kWh.",
    "low": "{code} : il ne reste que {funds}.",
    "dial_to_top_up": "Pour recharger, composez {ussd_code}.",
    "failed": "Votre paiement de {amount} pour {code} a échoué : {reason}. Rien n'a été prélevé.",
    "failed_cancelled": "vous l'avez annulé",
    "failed_timeout": "pas de réponse à temps",
    "failed_insufficient": "solde mobile insuffisant",
    "failed_wrong_pin": "code PIN incorrect",
    "failed_other": "refusé par le service",
    "dial_to_retry": "Pour réessayer : {ussd_code}.",
    "suspense": (
        "Nous avons vos {amount}, réf. {receipt}, mais le compte {account} est inconnu. "
        "Rien n'est perdu."
    ),
    "suspense_call": "Appelez le {phone}, code du compte en main.",
    "suspense_operator": "Donnez le code du compte à votre agent.",
    "price": "Prix actuel {price}/kWh.",
    "arrears": "Vous devez {arrears}.",
    "dai": "{dai} DAI.",
    "usage": "{code}, consommation :",
    "use_today": "aujourd'hui : {kwh} kWh{cost}",
    "use_yesterday": "hier : {kwh} kWh{cost}",
    "use_day": "1 jour : {kwh} kWh{cost}",
    "use_days": "{days} jours : {kwh} kWh{cost}",
    "help": (
        "Envoyez SOLDE, CONSO, RECHARGE 500, PAIEMENTS, LANGUE EN, FR ou SW, "
        "ou STOP pour ne plus avoir de SMS."
    ),
    "help_dial": "Ou composez {ussd_code}.",
    "help_call": "Aide : {phone}.",
    "no_payments": "{code} : aucun paiement pour le moment.",
    "payments": "Paiements {code} :",
    "payment": "{day} {amount} {receipt}",
    "payment_short": "{day} {amount}",
    "receipt": "{code} : ticket {number} du {day}, {amount}.",
    "credit_note": "{code} : avoir {number} du {day}, {amount} rendus.",
    "receipt_taxes": "Dont taxes : {taxes}.",
    "receipt_signed": "Signature {signature}.",
    "receipt_waiting": "Pas encore signé par le fisc.",
    "receipt_unsigned": "Gardez ce message comme ticket.",
    "no_receipt": "{code} : pas encore de ticket fiscal. PAIEMENTS pour vos paiements.",
    "language_set": "C'est fait. Vos messages seront en francais.",
    "prompt_sent": (
        "{code} : une demande de paiement de {amount} arrive sur votre téléphone. "
        "Validez-la avec votre code mobile money. Jamais de PIN par SMS."
    ),
    "unknown_word": "Nous n'avons pas compris. Envoyez AIDE pour la liste des mots.",
    "try_later": "Cela ne marche pas pour le moment. Renvoyez votre SMS dans quelques minutes.",
    "vote_not_open": "Aucun vote n'est ouvert. Un SMS vous préviendra du prochain.",
    "round_opened": "Le vote {number} est ouvert au {day} : {title}.",
    "round_dial": "Composez {ussd_code}, puis 4.",
    "round_sms": "Ou envoyez VOTE {number} pour voir les projets.",
    "round_counted": "Vote {number} : argent pour {titles}.",
    "round_nothing": "Vote {number} : aucun projet n'a eu d'argent.",
    "round_cancelled": "Le vote {number} est annulé : {news}",
    "vote_received": "{code} a voté au vote {number}. Récépissé {receipt}.",
    "vote_again": "{code} a déjà voté au vote {number}, une fois suffit. Récépissé {receipt}.",
    "vote_stays": "Publié sans nom.",
    "vote_how": "Vote {number} : {projects}.",
    "vote_send": "Envoyez VOTE {number} et les numéros choisis, par ex. VOTE {number} {example}.",
    "project_news": "{title} (vote {number}) : {news}",
    "project_vetoed": "{title} (vote {number}) ne sera pas payé : {news}",
    "proposal_made": "{code} propose pour le prochain vote : {title}.",
    "proposal_stranger": "Si ce n'est aucun de vous, avertissez l'agent.",
    "payout_paid": "{site} vous a payé {amount}.",
    "payout_returned": "{amount} payés par {site} sont revenus. L'exploitant s'en occupe.",
    "rate": (
        "Le taux de change du mois a changé. Le solde de {code} reste {funds} : "
        "vous ne perdez rien."
    ),
    "rate_published": (
        "Dès le {day}, 1 DAI vaut {rate}. Le solde de {code} en monnaie locale ne baissera pas : "
        "vous ne perdez rien."
    ),
    "which_account": (
        "Plusieurs comptes sur ce téléphone : {codes}. Ajoutez le code, par ex. SOLDE {code}."
    ),
    "unregistered": "Ce téléphone n'a pas encore de compte solaire. Voyez l'agent de votre site.",
    "unregistered_call": (
        "Ce téléphone n'a pas encore de compte solaire. Pour vous inscrire, appelez le {phone}."
    ),
    "amount_wrong": (
        "Envoyez RECHARGE et un montant de {least} à {most}, par ex. RECHARGE {example}."
    ),
    "paybill": "{code} : payez par {service}, numéro {number}, compte {code}.",
    "no_paybill": "{code} : pas de mobile money en ce moment. Pour payer, voyez votre agent.",
    "cash_taken": "Vous avez encaissé {amount} pour {code}. Référence {receipt}.",
    "float_left": "Votre avance est de {left}.",
    "float": "{code} : votre avance est de {left}.",
    "proof": "Jetons {code} : {url}",
    "proof_secret": "Ne le montrez pas.",
    "proof_none": "{code} : pas encore de preuve. Elle vient quand un jour du site est clos.",
    "wallet": "{code} : dès le {day} vos jetons vont au portefeuille {wallet}.",
    "wallet_not_you": "Pas vous ? Envoyez PREUVE NON {code}.",
    "wallet_refused": "{code} : le nouveau portefeuille est refusé. Rien ne change.",
    "wallet_none": "{code} : aucun portefeuille en attente. Pour en changer, voyez votre agent.",
    "stopped": "Vous ne recevrez plus de SMS de notre part. START pour reprendre.",
    "started": "Bienvenue. Vous aurez de nouveau nos SMS. Envoyez AIDE pour la liste des mots.",
}
