"""The known failures of epw.x and of the Wannier functions it makes."""

from __future__ import annotations

from hightc.makers.qe.failure import Failure

EPW = ("epw",)

EPW_FINE_MESH = Failure(
    code="epw_fine_mesh",
    programs=EPW,
    symptom="epw.x 'requires nkf1,nkf2,nkf3 to be multiple of nqf1,nqf2,nqf3'",
    remedy="the next multiples of the fine q mesh as the fine k mesh (nkf1, nkf2, nkf3)",
    tries=1,
    physics="the fine k mesh is denser than the recipe asks for",
    advice="choose a fine k mesh whose numbers are multiples of the fine q mesh's",
    errors=(r"nkf1,nkf2,nkf3 to be multiple of nqf1,nqf2,nqf3",),
)
EPW_MESH_SYMMETRY = Failure(
    code="epw_mesh_symmetry",
    programs=EPW,
    symptom="epw.x 'can only work with full uniform mesh': alpha2F was asked for on the irreducible q points",
    remedy="all q points are computed (mp_mesh_q = .false.)",
    tries=1,
    advice="leave mp_mesh_q out and use mp_mesh_k",
    errors=(r"can only work with full uniform mesh",),
    ladder=({"inputepw": {"mp_mesh_q": False}},),
)
EPW_COARSE_MESH = Failure(
    code="epw_coarse_mesh",
    programs=EPW,
    symptom="epw.x stops because the coarse k mesh is not that of the bands, or no multiple of the coarse q mesh",
    remedy="none",
    tries=0,
    advice="run pw.x (nscf) on the mesh nk1, nk2, nk3 of epw.x, whose numbers are multiples of ph.x's q mesh",
    errors=(r"inconsistent nscf and elph k-grids", r"q-vec not commensurate"),
)
EPW_FILES = Failure(
    code="epw_files",
    programs=EPW,
    symptom="epw.x cannot open what ph.x or an earlier epw.x should have left",
    remedy="none",
    tries=0,
    advice="a folder was cleaned between two steps: run the campaign again",
    errors=(
        r"problem with modes file",
        r"expected a file named .* but none was found",
        r"error opening \S+\.dvscf_q",
        r"cannot open restart file \S+/wfc",
        r"fatal error reading xml file",
        r"error opening ukk file",
        r"error opening crystal\.fmt",
        r"error opening epwdata\.fmt",
        r"error opening dmedata\.fmt",
        r"error in MPI_FILE_OPEN",
        r"error opening file \S+\.ephmat/",
    ),
)
EPW_ABOVE_TC = Failure(
    code="epw_above_tc",
    programs=EPW,
    symptom="epw.x stops in mix_broyden ('factorization'): there is no gap at this temperature",
    remedy="the temperatures that were solved are kept, the others dropped",
    tries=1,
    physics="the gap was computed at fewer temperatures than the recipe asks for: the others are above Tc",
    advice="the lowest temperature is above Tc: ask for lower ones",
    errors=(r"^factorization$",),
    routine=r"mix_broyden",
)
EPW_NOT_CONVERGED = Failure(
    code="epw_not_converged",
    programs=EPW,
    symptom="epw.x prints 'Convergence was not reached in nsiter'",
    remedy="four times the iterations (nsiter); then the temperatures that were solved are kept, the others dropped",
    tries=2,
    physics="the gap may have been computed at fewer temperatures than the recipe asks for",
    advice="raise conv_thr_iaxis, or ask for temperatures further from Tc",
)
EPW_PADE_NAN = Failure(
    code="epw_pade_nan",
    programs=EPW,
    symptom="epw.x prints NaN for the Pade continuation, which has too many points at very low temperatures",
    remedy="the gap is not continued to the real axis (lpade = .false., lacon = .false.)",
    tries=1,
    physics="there is no gap on the real axis and no tunnelling density of states, only the imaginary axis",
    advice="leave the lowest temperatures out",
    printed=(r"(?i)pade\s+Re\[znorm\][^\n]*\n\s*\d+\s+NaN",),
    ladder=({"inputepw": {"lpade": False, "lacon": False}},),
)
WANNIER_FROZEN_WINDOW = Failure(
    code="wannier_frozen_window",
    programs=EPW,
    symptom="'dis_windows: More states in the frozen window than target WFs', with return code 0",
    remedy="the frozen window ends below the first band too many (dis_froz_max), k point after k point, but above the "
    "Fermi energy",
    tries=6,
    physics="bands above the lowered dis_froz_max are not reproduced exactly by the Wannier functions",
    advice="lower dis_froz_max, or make more Wannier functions (nbndsub, proj)",
    printed=(r"More states in the frozen window than target WFs",),
)
WANNIER_OUTER_WINDOW = Failure(
    code="wannier_outer_window",
    programs=EPW,
    symptom="'dis_windows: Energy window contains fewer states than number of target WFs', with return code 0",
    remedy="the outer window is opened by 5 eV (dis_win_max), twice",
    tries=2,
    physics="higher bands are mixed into the Wannier functions than the recipe asks for",
    advice="raise dis_win_max, compute more bands (nbnd) in the nscf step, or make fewer Wannier functions",
    printed=(r"Energy window contains fewer states than number of target WFs",),
)
WANNIER_TOO_FEW_BANDS = Failure(
    code="wannier_too_few_bands",
    programs=EPW,
    symptom="'dis_spheres_first_wann is larger than num_bands-num_wann+1': fewer bands than Wannier functions",
    remedy="none",
    tries=0,
    advice="compute more bands (nbnd) in the nscf step, skip fewer (bands_skipped), or lower nbndsub",
    printed=(r"dis_spheres_first_wann is larger than num_bands-num_wann\+1",),
)
WANNIER_STOPPED = Failure(
    code="wannier_stopped",
    programs=EPW,
    symptom="wannier90 stopped epw.x for a reason that is none of the above, with return code 0",
    remedy="none",
    tries=0,
    advice="the reason is the last line of the output; more is in the file PREFIX.wout there",
    printed=(r"Error: examine the output/error file for details",),
)

EPW_FAILURES = (
    EPW_FINE_MESH,
    EPW_MESH_SYMMETRY,
    EPW_COARSE_MESH,
    EPW_FILES,
    EPW_ABOVE_TC,
    EPW_NOT_CONVERGED,
    EPW_PADE_NAN,
    WANNIER_FROZEN_WINDOW,
    WANNIER_OUTER_WINDOW,
    WANNIER_TOO_FEW_BANDS,
    WANNIER_STOPPED,
)
"""Every failure of epw.x alone."""
