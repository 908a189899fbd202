"""The numbers a report may name, each with the one sentence that defines it: both teams see one number. Pure."""

from services.feedback.domain.commitments import MEASURES

# Definition version of all sentences below; it is shown beside every number and grows when one changes.
DEFINITIONS_VERSION = 1

NUMBERS: dict[str, str] = {
    **{measure.name: measure.sentence for measure in MEASURES.values()},
    "opportunities": "opportunities created in the period",
    "pipeline_minor": "amount of the opportunities open at the end of the period, per currency",
    "revenue_minor": "amount won in the period, per currency",
    "speed_to_lead_p50": "seconds from qualified to the first touch that half of the touched handoffs kept",
    "speed_to_lead_p95": "seconds from qualified to the first touch that 95 % of the touched handoffs kept",
    "won": "handoffs won in the period",
    "lost": "handoffs lost in the period",
    "predicted_over_actual": "predicted wins over actual wins among matured outcomes",
    "spend_minor": "imported spend of the period, per currency",
    "cac_minor": "spend per new customer, per currency",
    "roi": "(revenue - spend) / spend, per currency",
}
