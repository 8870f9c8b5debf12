"""No reader takes a cut file for a whole one."""

import dataclasses
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core.structure import Structure

from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_frequencies, read_lambda, read_phonon_dos
from hightc.analysis.parsers.ph import read_dynamical_matrices, read_elph
from hightc.analysis.parsers.ph_output import read_ph_out
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.parsers.q2r import read_force_constants
from hightc.analysis.parsers.recognition import NO_END_MARK, read_output, recognise
from hightc.analysis.parsers.run_end import read_run_end

DATA = Path(__file__).parents[2] / "data"
QE = DATA / "qe"
CUTS = 20


def read_al_matrices(path):
    return read_dynamical_matrices(path.parent, "al.dyn")


def read_mgb2_matrices(path):
    return read_dynamical_matrices(path.parent, "mgb2.dyn")


def read_si_matrices(path):
    return read_dynamical_matrices(path.parent, "si.dyn")


def read_coupling(path):
    return read_elph(path.parents[1])


READERS = [
    ("al_scf/data-file-schema.xml", read_pw_xml),
    ("ni_spin/data-file-schema.xml", read_pw_xml),
    ("si_vc_relax/data-file-schema.xml", read_pw_xml),
    ("al_linear_response/al.dyn0", read_al_matrices),
    ("al_linear_response/al.dyn2", read_al_matrices),
    ("al_ibrav0/al.dyn3", read_al_matrices),
    ("mgb2/mgb2.dyn2", read_mgb2_matrices),
    ("si_dielectric/si.dyn1", read_si_matrices),
    ("al_linear_response/elph_dir/elph.inp_lambda.2", read_coupling),
    ("mgb2/elph_dir/elph.inp_lambda.2", read_coupling),
    ("al_linear_response/a2F.dos1", read_a2f_dos),
    ("mgb2/a2F.dos5", read_a2f_dos),
    ("al_linear_response/lambda", read_lambda),
    ("al_linear_response/al.phdos", read_phonon_dos),
    ("al_bcc/al.phdos", read_phonon_dos),
    ("al_linear_response/al.freq", read_frequencies),
    ("mgb2/mgb2.freq", read_frequencies),
    ("al_linear_response/al.fc", read_force_constants),
    ("si_dielectric/si.fc", read_force_constants),
]


ONE_OF_EACH_KIND = [
    "qe/al_scf/scf.out",
    "qe/al_scf/scf.in",
    "qe/ni_spin/scf.out",
    "qe/relax_not_converged/relax.out",
    "qe/relax_not_converged/relax.in",
    "qe/al_linear_response/elph.out",
    "qe/al_linear_response/elph.in",
    "qe/al_linear_response/q2r.out",
    "qe/al_linear_response/q2r.in",
    "qe/al_linear_response/matdyn.dos.out",
    "qe/al_linear_response/matdyn.dos.in",
    "qe/al_linear_response/al.dyn0",
    "qe/al_linear_response/al.dyn3",
    "qe/al_linear_response/elph_dir/elph.inp_lambda.3",
    "qe/al_linear_response/a2F.dos1",
    "qe/al_linear_response/lambda",
    "qe/al_linear_response/al.phdos",
    "qe/al_linear_response/al.freq",
    "qe/al_linear_response/al.fc",
    "qe/cr_nesting/nest_32.txt",
    "qe/cr_nesting/nest_100.dat",
    "epw/pb/pb.a2f",
    "epw/pb/pb.a2f_iso",
    "epw/pb/epw1.in",
    "epw/pb/epw1.out",
    "epw/pb/crystal.fmt",
    "epw/pb/decay.H",
    "epw/pb/decay.dynmat",
    "epw/pb_anisotropic/epw.out",
    "epw/pb_anisotropic/pb.imag_aniso_gap_FS_002.00",
    "epw/pb_gaps/above_tc.out",
    "epw/pb_wannier/nscf.in",
    "epw/pb_wannier/nscf.out",
    "epw/pb_wannier/pb_hr.dat",
]


def same(one, other):
    """Whether two results hold the same values."""
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Structure):
        return one == other
    return one == other


def attempt(read, path):
    """Return what a reader returns, or the error it raises."""
    try:
        return read(path)
    except ParseError as error:
        return error


def cut_positions(content, seed):
    """Random places, and the ends of the last lines, where a cut is hardest to see."""
    generator = random.Random(seed)
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    anywhere = [generator.randrange(len(content)) for _ in range(CUTS)]
    return sorted({*anywhere, *generator.sample(ends[:-1], min(8, len(ends) - 1)), *ends[-6:-1], len(content) - 1})


@pytest.mark.parametrize(("file", "read"), READERS, ids=[file for file, _ in READERS])
def test_cut_file_is_refused_or_complete(tmp_path, file, read):
    case = tmp_path / "case"
    shutil.copytree(QE / file.split("/")[0], case)
    path = case / Path(*Path(file).parts[1:])
    content = path.read_bytes()
    whole = read(path)
    for position in cut_positions(content, file):
        path.write_bytes(content[:position])
        result = attempt(read, path)
        if isinstance(result, ParseError):
            assert result.path == path
            assert result.expected
            assert result.found
            assert result.advice
            assert result.line is not None
        else:
            assert same(result, whole), f"cut at byte {position} of {len(content)} went unseen"


def random_cuts(content, seed):
    generator = random.Random(seed)
    return sorted(generator.randrange(len(content)) for _ in range(CUTS))


def unseen_cuts(path, positions, **known):
    """Cut a file at each position, and return those that the one entrance did not refuse with a place."""
    content = path.read_bytes()
    unseen = []
    for position in positions:
        path.write_bytes(content[:position])
        result = attempt(lambda cut: read_output(cut, **known), path)
        if not (isinstance(result, ParseError) and result.path == path and result.line and result.advice):
            unseen.append((position, result))
    path.write_bytes(content)
    return unseen


@pytest.mark.parametrize("file", ONE_OF_EACH_KIND)
def test_file_cut_anywhere_is_refused_with_its_line(tmp_path, file):
    case = tmp_path / "case"
    shutil.copytree(DATA / Path(*Path(file).parts[:2]), case)
    path = case / Path(*Path(file).parts[2:])
    assert not unseen_cuts(path, random_cuts(path.read_bytes(), file))


@pytest.mark.parametrize("file", ONE_OF_EACH_KIND)
def test_file_cut_between_two_lines_is_refused_or_complete(tmp_path, file):
    case = tmp_path / "case"
    shutil.copytree(DATA / Path(*Path(file).parts[:2]), case)
    path = case / Path(*Path(file).parts[2:])
    content = path.read_bytes()
    known = {}
    if recognise(path) in NO_END_MARK:
        known["n_points"] = sum(line.strip()[:1] in set("-0123456789") for line in content.decode().splitlines())
    whole = read_output(path, **known)
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")][:-1]
    chosen = {*random.Random(file).sample(ends, min(CUTS, len(ends))), *ends[-6:]}
    for position, result in unseen_cuts(path, sorted(chosen), **known):
        assert same(result, whole), f"cut at byte {position} of {len(content)} went unseen"


@pytest.mark.parametrize("file", ["al_scf/scf.out", "al_linear_response/elph.out", "al_linear_response/q2r.out"])
def test_cut_log_is_not_done(tmp_path, file):
    content = (QE / file).read_bytes()
    path = tmp_path / "out"
    generator = random.Random(file)
    for position in [generator.randrange(content.index(b"JOB DONE.") + 8) for _ in range(CUTS)]:
        path.write_bytes(content[:position])
        end = read_run_end(path)
        assert not end.job_done
        assert not end.succeeded
        assert end.error_message is None


def test_cut_phonon_log_never_claims_more_than_the_whole(tmp_path):
    content = (QE / "al_linear_response/elph.out").read_bytes()
    path = tmp_path / "elph.out"
    whole = read_ph_out(QE / "al_linear_response/elph.out")
    generator = random.Random(1)
    counts = []
    for position in sorted(generator.randrange(len(content)) for _ in range(CUTS)):
        path.write_bytes(content[:position])
        run = attempt(read_ph_out, path)
        if isinstance(run, ParseError):
            assert run.line is not None
            assert not counts
            continue
        assert np.array_equal(run.q_cartesian, whole.q_cartesian)
        assert not run.job_done or position > content.index(b"JOB DONE.")
        counts.append((sum(run.finished), sum(run.coupled)))
    assert counts == sorted(counts)
    assert counts[0] == (0, 0)
