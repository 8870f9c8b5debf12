import shutil
from pathlib import Path

import pytest

from hightc.analysis.parsers.alpha2f import Alpha2FFile
from hightc.analysis.parsers.epw_output import EpwOutput
from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError
from hightc.analysis.parsers.ph import QPoint, QPointCoupling
from hightc.analysis.parsers.pw import PwRun
from hightc.analysis.parsers.pw_output import PwOutput
from hightc.analysis.parsers.recognition import NO_END_MARK, read_output, recognise

DATA = Path(__file__).parents[2] / "data"

KINDS = {
    "qe/al_scf/data-file-schema.xml": "pw_xml",
    "qe/al_scf/scf.out": "pw_output",
    "qe/al_scf/scf.in": "input",
    "qe/al_linear_response/elph.out": "ph_output",
    "qe/al_linear_response/q2r.out": "q2r_output",
    "qe/al_linear_response/matdyn.dos.out": "matdyn_output",
    "qe/al_linear_response/al.dyn0": "q_list",
    "qe/al_linear_response/al.dyn2": "dynamical_matrix",
    "qe/al_linear_response/al.fc": "force_constants",
    "qe/al_linear_response/elph_dir/elph.inp_lambda.1": "ph_coupling",
    "qe/al_linear_response/a2F.dos1": "a2f_dos",
    "qe/al_linear_response/lambda": "matdyn_lambda",
    "qe/al_linear_response/al.phdos": "phonon_dos",
    "qe/al_linear_response/al.freq": "phonon_frequencies",
    "qe/cr_nesting/nest_100.dat": "numeric_table",
    "qe/cr_nesting/nest_32.txt": "nesting_report",
    "qe/al_ibrav0/al.fc": "force_constants",
    "epw/pb/pb.a2f": "a2f",
    "epw/pb/pb.a2f_iso": "a2f_isotropic",
    "epw/pb/crystal.fmt": "epw_crystal",
    "epw/pb/decay.H": "epw_decay",
    "epw/pb/epw1.out": "epw_output",
    "epw/pb_anisotropic/pb.imag_aniso_gap_FS_002.00": "fermi_surface_gaps",
    "epw/pb_wannier/pb_hr.dat": "wannier_hr",
}


@pytest.mark.parametrize(("file", "kind"), KINDS.items())
def test_kind_is_recognised_and_read(file, kind):
    assert recognise(DATA / file) == kind
    assert read_output(DATA / file) is not None


@pytest.mark.parametrize(
    "file",
    [
        file
        for file, kind in KINDS.items()
        if kind.endswith("_output") or kind in {"phonon_dos", "a2f", "input", "matdyn_lambda"}
    ],
)
def test_kind_is_recognised_by_content_under_any_name(tmp_path, file):
    path = tmp_path / "anything"
    shutil.copy(DATA / file, path)
    assert recognise(path) == KINDS[file]


@pytest.mark.parametrize(
    ("file", "record"),
    [
        ("qe/al_scf/data-file-schema.xml", PwRun),
        ("qe/al_scf/scf.out", PwOutput),
        ("qe/mgb2/mgb2.dyn2", QPoint),
        ("qe/mgb2/elph_dir/elph.inp_lambda.2", QPointCoupling),
        ("epw/pb/pb.a2f_iso", Alpha2FFile),
        ("epw/pb/epw1.out", EpwOutput),
    ],
)
def test_record_is_that_of_the_kind(file, record):
    assert isinstance(read_output(DATA / file), record)


def test_single_matrix_belongs_to_its_mesh():
    point = read_output(DATA / "qe/al_linear_response/al.dyn2")
    assert (point.index, point.q_mesh) == (2, (2, 2, 2))


def test_number_of_rows_shows_a_cut_where_the_format_has_no_end(tmp_path):
    for file, kind in KINDS.items():
        if kind in NO_END_MARK:
            lines = (DATA / file).read_text().splitlines(keepends=True)
            n_points = sum(line.strip()[:1] in set("-0123456789") for line in lines)
            assert read_output(DATA / file, n_points=n_points)
            path = tmp_path / Path(file).name
            path.write_text("".join(lines[:-1]))
            with pytest.raises(ParseError, match=rf"expected {n_points} \w+, found {n_points - 1}"):
                read_output(path, n_points=n_points)


def test_number_of_rows_is_refused_where_the_file_shows_its_end():
    with pytest.raises(ParseError, match="no n_points"):
        read_output(DATA / "epw/pb/decay.H", n_points=93)


def test_unknown_file_is_refused_at_its_first_line(tmp_path):
    path = tmp_path / "notes"
    path.write_text("buy milk\n")
    with pytest.raises(ParseError, match=r"notes line 1: .* found 'buy milk'"):
        recognise(path)
    path.write_text("")
    with pytest.raises(IncompleteOutputError, match="an empty file"):
        recognise(path)
    with pytest.raises(MissingOutputError):
        recognise(tmp_path / "nothing")
