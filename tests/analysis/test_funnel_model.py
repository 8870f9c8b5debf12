from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from hightc.analysis.documents import FeatureValue, GateDecisionDocument
from hightc.analysis.funnel_model import FunnelError, FunnelModel, read_funnel_model

FIELDS = {
    "schema_version": 1,
    "predicts": "N(E_F) on a finer mesh in states/eV/spin/atom",
    "features": ["dos_per_ev_spin_atom", "mean_atomic_mass_u"],
    "means": [0.5, 40.0],
    "scales": [0.25, 20.0],
    "coefficients": [2.0, -1.0],
    "intercept": 0.5,
    "link": "identity",
    "trained_on": {"sha256": "0" * 64, "description": "100 metals of a frozen export"},
}
MATERIAL = {"dos_per_ev_spin_atom": 0.75, "mean_atomic_mass_u": 20.0}


def written(tmp_path, **changes):
    path = tmp_path / "model.json"
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value != "left out"}
    path.write_text(json.dumps(fields))
    return path


def test_score_is_the_sum_of_scaled_features(tmp_path):
    model, _ = read_funnel_model(written(tmp_path))
    # 0.5 + 2 (0.75 - 0.5)/0.25 - (20 - 40)/20
    assert model.score(MATERIAL) == (3.5, None)


@pytest.mark.parametrize(("intercept", "score"), [(-3.0, 0.5), (-1000.0, 0.0), (1000.0, 1.0)])
def test_logistic_link_gives_a_probability_without_overflow(tmp_path, intercept, score):
    model, _ = read_funnel_model(written(tmp_path, link="logistic", intercept=intercept))
    found, reason = model.score(MATERIAL)
    assert found == pytest.approx(score, abs=1e-300)
    assert reason is None


def test_digest_is_that_of_the_file(tmp_path):
    path = written(tmp_path)
    assert read_funnel_model(path)[1] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_missing_feature_gives_no_score_and_says_which(tmp_path):
    model, _ = read_funnel_model(written(tmp_path))
    for features in ({**MATERIAL, "dos_per_ev_spin_atom": None}, {"mean_atomic_mass_u": 20.0}):
        score, reason = model.score(features)
        assert score is None
        assert "dos_per_ev_spin_atom" in reason


def test_sum_that_overflows_is_no_score(tmp_path):
    model, _ = read_funnel_model(written(tmp_path, coefficients=[1e308, 0.0], scales=[1e-3, 1.0]))
    assert model.score(MATERIAL)[0] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": ["dos_per_ev_spin_atom", "colour"]}, "found 'colour'"),
        ({"features": ["mean_atomic_mass_u", "mean_atomic_mass_u"]}, "each once"),
        ({"means": [0.5]}, "means: expected one number for each of 2 features, found 1"),
        ({"scales": [1.0, 0.0]}, "scales: expected positive"),
        ({"coefficients": [1.0, math.nan]}, "coefficients"),
        ({"intercept": "1"}, "intercept"),
        ({"link": "probit"}, "link"),
        ({"trained_on": {"sha256": "abc", "description": "x"}}, "trained_on.sha256"),
        ({"trained_on": "left out"}, "trained_on"),
        ({"pickle": "b64"}, "pickle"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_file_that_is_not_a_model_is_refused_with_the_field(tmp_path, changes, said):
    path = written(tmp_path, **changes)
    with pytest.raises(FunnelError) as caught:
        read_funnel_model(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"\x80\x04K\x01.", b"[1, 2]", b"", b'{"a": '])
def test_other_files_are_refused_without_being_run(tmp_path, content):
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(FunnelError, match="expected"):
        read_funnel_model(path)


def test_file_that_is_missing_or_too_large_is_refused(tmp_path):
    with pytest.raises(FunnelError, match="cannot be read"):
        read_funnel_model(tmp_path / "nothing.json")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 1_000_001)
    with pytest.raises(FunnelError, match="1000001"):
        read_funnel_model(large)


def test_model_travels_as_the_json_of_a_job(tmp_path):
    model, _ = read_funnel_model(written(tmp_path))
    assert FunnelModel.from_dict(json.loads(json.dumps(model.as_dict()))) == model


def decision_of(documents, dos, mass) -> GateDecisionDocument:
    features = tuple(
        FeatureValue(name=name, value=value, reason=None)
        for name, value in (("dos_per_ev_spin_atom", dos), ("mean_atomic_mass_u", mass))
    )
    return documents["decision"].model_copy(update={"features": features})


def test_model_fitted_by_least_squares_to_exported_documents_can_be_used(tmp_path, documents):
    rng = np.random.default_rng(1)
    exported = [
        decision_of(documents, float(dos), float(mass)).model_dump_json()
        for dos, mass in zip(rng.uniform(0.1, 2, 30), rng.uniform(10, 200, 30), strict=True)
    ]
    # what a user does: features from the lines of a frozen export, the target from elsewhere
    lines = [{one["name"]: one["value"] for one in json.loads(text)["features"]} for text in exported]
    names = ["dos_per_ev_spin_atom", "mean_atomic_mass_u"]
    x = np.array([[line[name] for name in names] for line in lines])
    target = 3.0 * x[:, 0] - 0.01 * x[:, 1] + 1.0
    means, scales = x.mean(axis=0), x.std(axis=0)
    solution, *_ = np.linalg.lstsq(np.column_stack([(x - means) / scales, np.ones(len(x))]), target, rcond=None)
    path = tmp_path / "fitted.json"
    path.write_text(
        json.dumps(
            {
                **FIELDS,
                "features": names,
                "means": means.tolist(),
                "scales": scales.tolist(),
                "coefficients": solution[:-1].tolist(),
                "intercept": float(solution[-1]),
                "trained_on": {
                    "sha256": hashlib.sha256("\n".join(exported).encode()).hexdigest(),
                    "description": "30 decisions",
                },
            }
        )
    )
    model, _ = read_funnel_model(path)
    # the target is linear: least squares finds it to rounding
    assert [model.score(line)[0] for line in lines] == pytest.approx(target.tolist(), rel=1e-9)
