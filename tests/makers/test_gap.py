from __future__ import annotations

import pytest

from hightc.makers.errors import ProgramFailedError
from hightc.makers.gap import OF_THE_MACHINE, lasting_reason


@pytest.mark.parametrize("code", sorted(OF_THE_MACHINE))
def test_failure_of_the_machine_does_not_become_a_reason(code):
    error = ProgramFailedError("epw.x failed in /a", [code])
    with pytest.raises(ProgramFailedError) as caught:
        lasting_reason(error)
    assert caught.value is error


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        ("epw.x failed in /a: factorization", ["epw_above_tc"]),
        ("epw.x failed in /a: Convergence was not reached in nsiter", ["epw_not_converged"]),
        ("epw.x failed in /a: Error allocating akeri", []),
        ("epw.x failed in /a: Error allocating akeri", ["out_of_memory"]),
    ],
)
def test_refusal_that_every_run_would_meet_becomes_a_reason(message, codes):
    assert lasting_reason(ProgramFailedError(message, codes)) == message
