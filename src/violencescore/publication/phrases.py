"""What an announcement says, in English and Spanish: one sentence for each kind of claim.

Braces stand for what a claim fills in: numbers, dates and names are the same in both languages; words that a language
has of its own are looked up in ``WORDS``.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "es")

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "rehearsal": {
        "en": "REHEARSAL: this tries out the procedure, and is no verdict on anybody.",
        "es": "ENSAYO: esto prueba el procedimiento y no es un veredicto sobre nadie.",
    },
    "fictional": {
        "en": "All organizations and events are invented.",
        "es": "Todas las organizaciones y todos los hechos son inventados.",
    },
    "preliminary": {
        "en": "Published on {published}, before the window closed on {end}: this is no final verdict.",
        "es": "Publicado el {published}, antes de cerrarse el periodo el {end}: no es un veredicto definitivo.",
    },
    "selected": {
        "en": "{leader} is named: the probability that it {lead}{margin_words} is {p} (Monte-Carlo error {error}), and "
        "{required} was required.",
        "es": "Se designa a {leader}: la probabilidad de que {lead}{margin_words} es {p} (error de Monte "
        "Carlo {error}), "
        "y se exigía {required}.",
    },
    "no_selection": {
        "en": "No organization is named: the probability that {leader}, the likeliest, {lead}{margin_words} is {p} "
        "(Monte-Carlo error {error}), and {required} was required.",
        "es": "No se designa a ninguna organización: la probabilidad de que {leader}, la más probable, "
        "{lead}{margin_words} es {p} (error de Monte Carlo {error}), y se exigía {required}.",
    },
    "extend": {
        "en": "No organization is named yet: the probability that {leader}, the likeliest, {lead}{margin_words} is {p} "
        "(Monte-Carlo error {error}), and {required} was required. More weeks could settle it.",
        "es": "Aún no se designa a ninguna organización: la probabilidad de que {leader}, la más probable, "
        "{lead}{margin_words} es {p} (error de Monte Carlo {error}), y se exigía {required}. Más semanas podrían "
        "decidirlo.",
    },
    "near": {
        "en": "No organization is named yet: the probability that {leader}, the likeliest, {lead}{margin_words} is {p} "
        "(Monte-Carlo error {error}), too near the required {required} to call with this number of draws.",
        "es": "Aún no se designa a ninguna organización: la probabilidad de que {leader}, la más probable, "
        "{lead}{margin_words} es {p} (error de Monte Carlo {error}), demasiado cerca de la exigida, {required}, para "
        "decidir con este número de simulaciones.",
    },
    "held_back.no_selection": {
        "en": "No organization is named: the probability that {leader}, the likeliest, {lead}{margin_words} is {p} "
        "(Monte-Carlo error {error}), which clears the required {required}, but not all that the rules require besides "
        "was found.",
        "es": "No se designa a ninguna organización: la probabilidad de que {leader}, la más probable, "
        "{lead}{margin_words} es {p} (error de Monte Carlo {error}), que supera la exigida, {required}, pero no se "
        "halló todo lo que las reglas exigen además.",
    },
    "held_back.extend": {
        "en": "No organization is named yet: the probability that {leader}, the likeliest, {lead}{margin_words} is {p} "
        "(Monte-Carlo error {error}), which clears the required {required}, but not all that the rules require besides "
        "was found.",
        "es": "Aún no se designa a ninguna organización: la probabilidad de que {leader}, la más probable, "
        "{lead}{margin_words} es {p} (error de Monte Carlo {error}), que supera la exigida, {required}, pero no se "
        "halló todo lo que las reglas exigen además.",
    },
    "margin.holds": {
        "en": "Required besides: {what}, {minimum_words} or more. Found: {found_words}.",
        "es": "Se exige además: {what}, {minimum_words} o más. Se halló: {found_words}.",
    },
    "margin.short": {
        "en": "Required besides: {what}, {minimum_words} or more. Found: {found_words}. That is not enough.",
        "es": "Se exige además: {what}, {minimum_words} o más. Se halló: {found_words}. No basta.",
    },
    "margin.untold": {
        "en": "Required besides: {what}, {minimum_words} or more. It could not be told.",
        "es": "Se exige además: {what}, {minimum_words} o más. No pudo determinarse.",
    },
    "margin.unknown": {
        "en": "Required besides: {what}, {minimum_words} or more. It was not examined.",
        "es": "Se exige además: {what}, {minimum_words} o más. No se examinó.",
    },
    "margin.rule": {
        "en": "Required besides, whatever error is left: {what}, {minimum_words} or more.",
        "es": "Se exige además, sea cual sea el error que quede: {what}, {minimum_words} o más.",
    },
    "margin.stated": {
        "en": "Of the required margins, what was found of {n} is the publisher's word: it rests on single incidents, "
        "other weights or further fits, which are not computed again. Whether it is enough can be checked.",
        "es": "De los márgenes exigidos, lo hallado de {n} es palabra de quien publica: se basa en incidentes "
        "concretos, otros pesos o nuevos ajustes, que no se recalculan. Que baste sí puede comprobarse.",
    },
    "not_estimable": {
        "en": "No verdict can be given: the figures are not fit to name any organization, or to clear any.",
        "es": "No puede darse un veredicto: las cifras no permiten designar a ninguna organización ni descartar a "
        "ninguna.",
    },
    "first": {
        "en": "{name} {lead} with probability {p} (Monte-Carlo error {error}).",
        "es": "Probabilidad de que {name} {lead}: {p} (error de Monte Carlo {error}).",
    },
    "rank": {
        "en": "With a probability of {level} or more the rank of {name} lies between {low} and {high}.",
        "es": "Con probabilidad de {level} o más, el puesto de {name} está entre {low} y {high}.",
    },
    "one_rank": {
        "en": "With a probability of {level} or more the rank of {name} is {low}.",
        "es": "Con probabilidad de {level} o más, el puesto de {name} es el {low}.",
    },
    "score": {
        "en": "The score of {name} is {median} (median); with probability {level} it lies between {low} and {high}.",
        "es": "La puntuación de {name} es {median} (mediana); con probabilidad {level} está entre {low} y {high}.",
    },
    "pair": {
        "en": "{name} scores above {other} with probability {p} (Monte-Carlo error {error}).",
        "es": "{name} supera en puntuación a {other} con probabilidad {p} (error de Monte Carlo {error}).",
    },
    "smallest_set": {
        "en": "The smallest set that holds the first with probability {required} has {n} of {total} organizations: "
        "{names}.",
        "es": "El conjunto más pequeño que contiene a la primera con probabilidad {required} tiene {n} de {total} "
        "organizaciones: {names}.",
    },
    "baseline": {
        "en": "Total violence in the window is not above that of the time before with probability {p} (Monte-Carlo "
        "error {error}).",
        "es": "La violencia total del periodo no supera la de antes con probabilidad {p} (error de Monte Carlo "
        "{error}).",
    },
    "panel": {
        "en": "By the own weights of each of the {n} panelists, {same} put the same organization first, {leader}.",
        "es": "Con los pesos propios de cada uno de los {n} panelistas, {same} ponen en primer lugar a la misma "
        "organización, {leader}.",
    },
    "scenarios": {
        "en": "Of {n} other sets of assumptions that the methodology lists, {done} were computed, and in "
        "{same} of these "
        "{leader} stays the likeliest.",
        "es": "De {n} conjuntos alternativos de supuestos que enumera la metodología, se calcularon {done}, y "
        "en {same} "
        "de ellos {leader} sigue siendo la más probable.",
    },
    "rule": {
        "en": "An organization is named only if the probability that it {lead}{margin_words} is at least "
        "{required}, by "
        "more than {errors} Monte-Carlo errors.",
        "es": "Solo se designa a una organización si la probabilidad de que {lead}{margin_words} es al menos "
        "{required}, "
        "por más de {errors} errores de Monte Carlo.",
    },
    "window": {
        "en": "The window runs from {start} to {end}, and was announced for {announced}.",
        "es": "El periodo va del {start} al {end}, y se anunció para el {announced}.",
    },
    "committed": {
        "en": "The rules were fixed on {at} (UTC) in the commitment whose digest is {sha256}.",
        "es": "Las reglas se fijaron el {at} (UTC) en el compromiso cuyo resumen criptográfico es {sha256}.",
    },
    "amended": {
        "en": "They were amended on {at} (UTC), digest {sha256}. The reason given: {reason}",
        "es": "Se modificaron el {at} (UTC), resumen {sha256}. El motivo alegado: {reason}",
    },
    "draws": {
        "en": "The figures rest on {n} draws in {chains} chains; R-hat is at most {rhat}, and effective draws are at "
        "least {ess}.",
        "es": "Las cifras se basan en {n} simulaciones en {chains} cadenas; R-hat es a lo sumo {rhat}, y hay al menos "
        "{ess} simulaciones efectivas.",
    },
    "calibration": {
        "en": "The method as shipped, tried in {assessments} simulated assessments of {worlds} kinds of world, some of "
        "which break the model, named an organization {named} times at {required} and was wrong {wrong} times.",
        "es": "El método tal como se distribuye, probado en {assessments} evaluaciones simuladas de {worlds} tipos de "
        "mundo, algunos contrarios al modelo, designó a una organización {named} veces con {required} y se equivocó "
        "{wrong} veces.",
    },
    "no_calibration": {
        "en": "How often this rule errs in simulated worlds is not enclosed.",
        "es": "No se adjunta con qué frecuencia yerra esta regla en mundos simulados.",
    },
    "winner": {
        "en": "The score of an organization that is picked for being highest tends to be too high; the model shrinks "
        "scores towards one another, which allows for that, so nothing more is taken off.",
        "es": "La puntuación de una organización elegida por ser la más alta tiende a ser excesiva; el modelo acerca "
        "las puntuaciones entre sí, lo que ya lo tiene en cuenta, y no se descuenta nada más.",
    },
    "recorded": {
        "en": "This counts recorded violence only: unreported violence is not estimated.",
        "es": "Esto cuenta solo la violencia registrada: la no denunciada no se estima.",
    },
    "unreported": {
        "en": "Violence that no source lists is counted as well, estimated from which sources list which incidents.",
        "es": "También se cuenta la violencia que ninguna fuente recoge, estimada a partir de qué fuentes recogen qué "
        "hechos.",
    },
    "chosen": {
        "en": "The weights and rules of the methodology {id}, version {version}, were chosen by people, not "
        "learned from "
        "the data.",
        "es": "Los pesos y las reglas de la metodología {id}, versión {version}, los eligieron personas; no se "
        "aprendieron de los datos.",
    },
    "disclosure": {
        "en": "Enclosed are {disclosed}.",
        "es": "Se adjuntan {disclosed}.",
    },
    "coarsening_none": {
        "en": "Coarsened to region and week, the data are the same to the model: the probability that {leader} {lead} "
        "stays {p}.",
        "es": "Reducidos a región y semana, los datos son los mismos para el modelo: la probabilidad de que {leader} "
        "{lead} sigue siendo {p}.",
    },
    "coarsening": {
        "en": "Fitted to the data as coarsened, the probability that {leader} {lead} is {after} (Monte-Carlo error "
        "{after_error}) instead of {p}.",
        "es": "Ajustado a los datos así reducidos, la probabilidad de que {leader} {lead} es {after} (error de Monte "
        "Carlo {after_error}) en lugar de {p}.",
    },
    "check": {
        "en": "Whoever doubts this can check it: violencescore verify FOLDER, or python "
        "verify/small_verifier.py FOLDER.",
        "es": "Quien dude puede comprobarlo: violencescore verify CARPETA, o python verify/small_verifier.py CARPETA.",
    },
}  # fmt: skip

WORDS: Mapping[str, Mapping[str, str]] = {
    "realized.none": {"en": "was the most violent", "es": "haya sido la más violenta"},
    "realized.revenue": {
        "en": "was the most violent per unit of revenue",
        "es": "haya sido la más violenta por unidad de ingresos",
    },
    "realized.flow": {
        "en": "was the most violent per unit of drug flow",
        "es": "haya sido la más violenta por unidad de droga traficada",
    },
    "rate.none": {
        "en": "had the highest underlying rate of violence",
        "es": "haya tenido la mayor tasa subyacente de violencia",
    },
    "rate.revenue": {
        "en": "had the highest underlying rate of violence per unit of revenue",
        "es": "haya tenido la mayor tasa subyacente de violencia por unidad de ingresos",
    },
    "rate.flow": {
        "en": "had the highest underlying rate of violence per unit of drug flow",
        "es": "haya tenido la mayor tasa subyacente de violencia por unidad de droga traficada",
    },
    "margin.none": {"en": "", "es": ""},
    "margin.some": {"en": ", by {margin} % or more,", "es": ", por {margin} % o más,"},
    "escape_margin": {
        "en": "a cut of its violence after which it would not be named",
        "es": "una reducción de su violencia tras la cual no sería designada",
    },
    "monotonicity": {
        "en": "checks in which one more incident of an organization harms none but itself",
        "es": "comprobaciones en que un incidente más de una organización no perjudica a ninguna otra",
    },
    "staging_budget": {
        "en": "incidents that a rival must stage, best placed, to change the verdict",
        "es": "incidentes que una rival debe simular, del modo más eficaz, para cambiar el veredicto",
    },
    "staging_budget_average": {
        "en": "incidents that a rival must stage, as they usually come, to change the verdict",
        "es": "incidentes que una rival debe simular, como suelen ser, para cambiar el veredicto",
    },
    "tipping_share": {
        "en": "a share of what counts as its own that must be staged for it not to be named",
        "es": "una parte de lo que se le atribuye que debe ser simulada para que no sea designada",
    },
    "handful": {
        "en": "incidents whose removal changes the verdict (the fewest found)",
        "es": "incidentes cuya supresión cambia el veredicto (el menor número hallado)",
    },
    "suppression": {
        "en": "a loss of reporting in a rival's regions that could hide another verdict",
        "es": "una pérdida de denuncias en las regiones de una rival que podría ocultar otro veredicto",
    },
    "window": {
        "en": "the probability that the first is first in other windows (the least)",
        "es": "la probabilidad de que la primera lo sea en otros periodos (la menor)",
    },
    "units": {
        "en": "the probability that the first is first under other units (the least)",
        "es": "la probabilidad de que la primera lo sea con otras unidades (la menor)",
    },
    "acceptability": {
        "en": "the probability that the first is first when nobody fixes the weights",
        "es": "la probabilidad de que la primera lo sea cuando nadie fija los pesos",
    },
    "panel_acceptability": {
        "en": "the probability that the first is first over all mixes of the panelists' weights",
        "es": "la probabilidad de que la primera lo sea con todas las mezclas de los pesos del panel",
    },
    "nearest_weights": {
        "en": "percentage points of weight that must move for another to be the likeliest first",
        "es": "puntos porcentuales de peso que deben moverse para que otra sea la primera más probable",
    },
    "panel_removal": {
        "en": "panelists whose absence changes the verdict (the fewest)",
        "es": "panelistas cuya ausencia cambia el veredicto (el menor número)",
    },
    "pools": {
        "en": "the probability that the first is first under another pool or one panelist's weights (the least)",
        "es": "la probabilidad de que la primera lo sea con otra ponderación conjunta o la de un panelista (la menor)",
    },
    "revenue_agreement": {
        "en": "the probability that totals and scores per revenue put the same organization first",
        "es": "la probabilidad de que totales y puntuaciones por ingresos pongan primera a la misma organización",
    },
    "flow_agreement": {
        "en": "the probability that totals and scores per drug flow put the same organization first",
        "es": "la probabilidad de que totales y puntuaciones por droga pongan primera a la misma organización",
    },
    "revenue_break_even": {
        "en": "the revenue at which the first would no longer be named, in multiples of its median",
        "es": "los ingresos con que la primera ya no sería designada, en múltiplos de su mediana",
    },
    "flow_break_even": {
        "en": "the drug flow at which the first would no longer be named, in multiples of its median",
        "es": "la droga traficada con que la primera ya no sería designada, en múltiplos de su mediana",
    },
    "any_answer": {
        "en": "the probability that somebody can still be named once any one incident is settled (the least)",
        "es": "la probabilidad de que aún pueda designarse a alguna tras aclararse un incidente cualquiera (la menor)",
    },
    "minimum.number": {"en": "{minimum}", "es": "{minimum}"},
    "minimum.share": {"en": "{minimum_percent} %", "es": "{minimum_percent} %"},
    "found.number": {"en": "{value}", "es": "{value}"},
    "found.share": {"en": "{value_percent} %", "es": "{value_percent} %"},
    "found.number_between": {
        "en": "{value}, between {low} and {high}",
        "es": "{value}, entre {low} y {high}",
    },
    "found.share_between": {
        "en": "{value_percent} %, between {low_percent} and {high_percent} %",
        "es": "{value_percent} %, entre {low_percent} y {high_percent} %",
    },
    "found.more": {
        "en": "nothing within reach changes the verdict",
        "es": "nada al alcance cambia el veredicto",
    },
    "level.full": {
        "en": "the tables of incidents in full",
        "es": "las tablas completas de los incidentes",
    },
    "level.coarsened": {
        "en": "the tables of incidents by region and week, without dates, ids or sources",
        "es": "las tablas de incidentes por región y semana, sin fechas, identificadores ni fuentes",
    },
    "level.aggregate": {
        "en": "draws and totals only, and nothing on single incidents",
        "es": "solo simulaciones y totales, y nada sobre incidentes concretos",
    },
}

TITLES = {"en": "Announcement: {}", "es": "Anuncio: {}"}
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "verdict": {"en": "The verdict", "es": "El veredicto"},
    "figures": {"en": "The figures", "es": "Las cifras"},
    "rules": {"en": "The rules", "es": "Las reglas"},
    "limits": {"en": "What stands behind it", "es": "En qué se apoya"},
}
"""The parts of an announcement, in their order."""
