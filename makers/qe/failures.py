"""The known failures of Quantum ESPRESSO: how each is seen, what is done, what that does to the physics.

Handlers are built from these entries, and ``hightc failures`` prints them.
"""

from __future__ import annotations

from hightc.makers.qe.failure import Failure
from hightc.makers.qe.failures_epw import EPW_FAILURES

EVERY_PROGRAM = ("pw", "ph", "q2r", "matdyn", "epw")

SCF_NOT_CONVERGED = Failure(
    code="scf_not_converged",
    programs=("pw",),
    symptom="pw.x prints 'convergence NOT achieved', and its accuracy fell, but too slowly",
    remedy="mixing_beta 0.3 and 200 steps; local-TF mixing with 0.2; Davidson replaced by conjugate gradients",
    tries=3,
    advice="check the structure and the smearing; a magnetic material may need spin",
    ladder=(
        {"electrons": {"mixing_beta": 0.3, "electron_maxstep": 200}},
        {"electrons": {"mixing_mode": "local-TF", "mixing_beta": 0.2}},
        {"electrons": {"diagonalization": "cg"}},
    ),
)
SCF_OSCILLATING = Failure(
    code="scf_oscillating",
    programs=("pw",),
    symptom="pw.x prints 'convergence NOT achieved', and its accuracy rose in a third of the steps or more",
    remedy="mixing_beta 0.2 with 12 mixed steps, 200 in all; local-TF mixing with 0.1",
    tries=2,
    advice="check the structure and the smearing; a long cell sloshes charge, a magnetic material may need spin",
    ladder=(
        {"electrons": {"mixing_beta": 0.2, "mixing_ndim": 12, "electron_maxstep": 200}},
        {"electrons": {"mixing_mode": "local-TF", "mixing_beta": 0.1}},
    ),
)
OVERLAP_MATRIX = Failure(
    code="overlap_matrix",
    programs=("pw",),
    symptom="pw.x stops with 'S matrix not positive definite' or 'problems computing cholesky'",
    remedy="Davidson replaced by conjugate gradients; then by ParO",
    tries=2,
    advice="look for atoms that lie on each other, for a cutoff below what the pseudopotentials ask for, or take "
    "norm-conserving ones",
    errors=(r"S matrix not positive definite", r"problems computing cholesky"),
    ladder=({"electrons": {"diagonalization": "cg"}}, {"electrons": {"diagonalization": "paro"}}),
)
EIGENVALUES_NOT_CONVERGED = Failure(
    code="eigenvalues_not_converged",
    programs=("pw",),
    symptom="pw.x stops with 'too many bands are not converged'",
    remedy="a larger Davidson space (diago_david_ndim 4); then conjugate gradients to 1e-10 Ry (diago_thr_init)",
    tries=2,
    advice="raise conv_thr, which sets how exactly empty bands are computed, or ask for fewer bands (nbnd)",
    errors=(r"too many bands are not converged",),
    ladder=(
        {"electrons": {"diago_david_ndim": 4}},
        {"electrons": {"diagonalization": "cg", "diago_thr_init": 1e-10}},
    ),
)
TOO_FEW_BANDS = Failure(
    code="too_few_bands",
    programs=("pw",),
    symptom="pw.x stops with 'too few bands' or 'cannot bracket Ef': nbnd does not hold the electrons",
    remedy="twice the bands (nbnd)",
    tries=2,
    physics="more bands are computed than the recipe asks for",
    advice="ask for more bands (nbnd), half the electrons and a fifth more at least",
    errors=(r"too few bands", r"cannot bracket Ef"),
)
BFGS_HISTORY = Failure(
    code="bfgs_history",
    programs=("pw",),
    symptom="pw.x prints 'history already reset at previous step: stopping': no step lowers the energy any more",
    remedy="the relaxation begins anew with a hundredth of conv_thr; after that it is taken as it is, with a warning",
    tries=1,
    advice="lower scf_threshold_ry, or raise force_threshold_ry_bohr",
    printed=(r"history already reset at previous step: stopping",),
)
GEOMETRY_NOT_CONVERGED = Failure(
    code="geometry_not_converged",
    programs=("pw",),
    symptom="pw.x used up its ionic steps: 'The maximum number of steps has been reached', or no final scf",
    remedy="pw.x goes on from the last geometry (restart_mode) with twice the ionic steps (nstep)",
    tries=2,
    advice="start from a structure nearer to its minimum, raise force_threshold_ry_bohr, or set relax = false",
)
RESTART_FAILED = Failure(
    code="restart_failed",
    programs=("pw",),
    symptom="pw.x stops with an error in a run that continues an interrupted one",
    remedy="pw.x starts again from the structure it was given",
    tries=1,
    advice="give the job more time (HIGHTC_WALLTIME_SECONDS): pw.x cannot continue where it was stopped",
    ladder=({"control": {"restart_mode": "from_scratch"}},),
)
FFT_SYMMETRY = Failure(
    code="fft_symmetry",
    programs=("ph",),
    symptom="ph.x stops because its FFT grid is 'incompatible with symmetry', rotations or fractional translations",
    remedy="none",
    tries=0,
    advice="the cell is symmetric only to some digits, so its axes got different FFT grids: give the structure with "
    "all digits, as a primitive standard cell, and run the self-consistent step again",
    errors=(r"FFT grid incompatible with symmetry", r"incompatible FFT grid"),
)
PH_NOT_CONVERGED = Failure(
    code="ph_not_converged",
    programs=("ph",),
    symptom="ph.x prints 'No convergence has been achieved'",
    remedy="alpha_mix 0.3; then 0.1 with 5 mixed iterations; each goes on at the first unfinished q point (start_q)",
    tries=2,
    advice="a soft or unstable mode may be the cause: look at the phonons at that q, or raise the k mesh",
    # ph.x refuses to mix more than 5 iterations
    ladder=({"inputph": {"alpha_mix(1)": 0.3}}, {"inputph": {"alpha_mix(1)": 0.1, "nmix_ph": 5}}),
)
PH_DIVERGED = Failure(
    code="ph_diverged",
    programs=("ph",),
    symptom="ph.x stops in its mixing ('broyden ... factorization'): the response grew beyond all bounds",
    remedy="alpha_mix 0.2, from the start of the first unfinished q point (start_q)",
    tries=1,
    advice="a soft or unstable mode may be the cause: look at the phonons at that q, or raise the k mesh",
    errors=(r"^factorization$",),
    routine=r"broyden",
    ladder=({"inputph": {"alpha_mix(1)": 0.2, "recover": False}},),
)
ELPH_FILES = Failure(
    code="elph_files",
    programs=("q2r",),
    symptom="q2r.x stops with 'problem opening file elph_dir/a2Fq2r...'",
    remedy="none",
    tries=0,
    advice="ph.x left no coupling of that q point and width: run it again with ten widths (el_ph_nsigma = 10)",
    errors=(r"problem opening file",),
)
MATDYN_NAN = Failure(
    code="matdyn_nan",
    programs=("matdyn",),
    symptom="matdyn.x ends well, but its density of states is NaN: it divided by a frequency of exactly zero",
    remedy="other on-site force constants (+16, then +64 Ry/bohr^2 on the diagonal), which asr = 'simple' replaces, so "
    "that the frequencies at Gamma are rounded to another number near zero",
    tries=2,
    advice="a mode away from Gamma may have a frequency of exactly zero: look for it in the file frequencies; lower "
    "tr2_ph or take another interpolation mesh",
)
WALLTIME = Failure(
    code="walltime",
    programs=("pw", "ph"),
    symptom="the program stopped cleanly because max_seconds had passed",
    remedy="pw.x continues (restart_mode); ph.x goes on at its first unfinished q point (start_q); where the job of a "
    "queue ends, the next job does",
    tries=3,
    advice="give the job more time (HIGHTC_WALLTIME_SECONDS) or more processes",
)
BROKEN_FILE = Failure(
    code="broken_file",
    programs=EVERY_PROGRAM,
    symptom="stderr tells of a 'Fortran runtime error': the program read a file that is cut, empty or of another form",
    remedy="none",
    tries=0,
    advice="stderr names the file or the reader: an incomplete pseudopotential (hightc doctor), or a file that an "
    "earlier step left incomplete, which must run again",
    system=(r"Fortran runtime error",),
)
KILLED = Failure(
    code="killed",
    programs=EVERY_PROGRAM,
    symptom="the output stops without its last words and without an error message",
    remedy="ph.x goes on at its first unfinished q point (start_q); any other program starts again, from scratch",
    tries=2,
    advice="the machine may lack memory: use fewer processes, or look into the system log for the reason",
)
CRASHED = Failure(
    code="crashed",
    programs=EVERY_PROGRAM,
    symptom="stderr tells of MPI_ABORT or of a segmentation fault, and the output has no error message",
    remedy="ph.x goes on at its first unfinished q point (start_q); any other program starts again, from scratch",
    tries=1,
    advice="the program or its MPI is broken: hightc doctor starts both; try one process (HIGHTC_PROCESSES=1)",
    system=(
        r"MPI_ABORT was invoked",
        r"signal SIGSEGV",
        r"signal SIGBUS",
        r"signal SIGFPE",
        r"signal SIGILL",
        r"signal SIGABRT",
        r"segmentation fault",
    ),
)
OUT_OF_MEMORY = Failure(
    code="out_of_memory",
    programs=EVERY_PROGRAM,
    symptom="'cannot allocate memory' in the output or on stderr, or a batch system's word of an oom-kill",
    remedy="fewer pools of k points, so that processes share one set of plane waves; epw.x and matdyn.x run in fewer "
    "processes",
    tries=2,
    advice="use fewer processes (HIGHTC_PROCESSES), a machine with more memory, or a lower cutoff",
    system=(
        r"cannot allocate",
        r"out of memory",
        r"oom-kill",
        r"oom_kill",
        r"insufficient virtual memory",
        r"allocation would exceed memory limit",
    ),
)
DISK_FULL = Failure(
    code="disk_full",
    programs=EVERY_PROGRAM,
    symptom="no space is left on the device, or none was left at the end: pw.x then leaves empty files without a word",
    remedy="none",
    tries=0,
    advice="free space in the scratch folder, or run where there is more, and run the campaign again",
    system=(r"no space left on device", r"disk quota exceeded"),
)
PSEUDOPOTENTIAL = Failure(
    code="pseudopotential",
    programs=("pw", "ph"),
    symptom="the program cannot open or read a pseudopotential",
    remedy="none",
    tries=0,
    advice="hightc doctor lists the families; hightc pseudos install pseudo-dojo brings one with 72 elements",
    errors=(r"not found", r"not readable"),
    routine=r"^readpp$",
)
RETURN_CODE = Failure(
    code="return_code",
    programs=EVERY_PROGRAM,
    symptom="the output is complete, but the program ended with a return code that is not 0",
    remedy="none",
    tries=0,
    advice="the result is not to be trusted: a process may have stopped that does not print; hightc doctor tries MPI",
)

FAILURES = (
    SCF_NOT_CONVERGED,
    SCF_OSCILLATING,
    OVERLAP_MATRIX,
    EIGENVALUES_NOT_CONVERGED,
    TOO_FEW_BANDS,
    BFGS_HISTORY,
    GEOMETRY_NOT_CONVERGED,
    RESTART_FAILED,
    FFT_SYMMETRY,
    PH_NOT_CONVERGED,
    PH_DIVERGED,
    ELPH_FILES,
    MATDYN_NAN,
    *EPW_FAILURES,
    WALLTIME,
    BROKEN_FILE,
    KILLED,
    CRASHED,
    OUT_OF_MEMORY,
    DISK_FULL,
    PSEUDOPOTENTIAL,
    RETURN_CODE,
)
"""Every failure that a handler knows."""
