//! Findings: every refuted or contradictory claim, with its event.
