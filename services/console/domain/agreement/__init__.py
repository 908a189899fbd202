"""The agreement as people read it, made of the published document alone."""

from services.console.domain.agreement.blocks import condition_sentence, span_sentence
from services.console.domain.agreement.page import AgreementPage, agreement_page, in_force

__all__ = ["AgreementPage", "agreement_page", "condition_sentence", "in_force", "span_sentence"]
