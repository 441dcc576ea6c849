"""scikit-learn on tensors: converted to NumPy as any array is, and without conversion through the array API."""
import os
import subprocess
import sys

import numpy as np
import pytest
import tapegrad as tg

pytest.importorskip("sklearn")
from sklearn.datasets import make_classification  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import cross_val_score, train_test_split  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

X, Y = make_classification(200, 8, random_state=0)
TX, TY = tg.from_numpy(X), tg.from_numpy(Y)


def test_pipeline_takes_tensors():
    """fit, predict, score and the splitters see the arrays behind tensors: the same results as from NumPy."""
    make = lambda: make_pipeline(StandardScaler(), PCA(4), LogisticRegression())  # noqa: E731
    ours, theirs = make().fit(TX, TY), make().fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(TX), theirs.predict_proba(X))
    assert ours.score(TX, TY) == theirs.score(X, Y) > 0.8
    np.testing.assert_allclose(cross_val_score(KNeighborsClassifier(), TX, TY), cross_val_score(KNeighborsClassifier(), X, Y))


def test_splits_keep_tensors():
    a, b, c, d = train_test_split(TX, TY, test_size=0.25, random_state=0)
    assert tuple(a.shape) == (150, 8) and len(d) == 50
    np.testing.assert_array_equal(np.asarray(a), train_test_split(X, Y, test_size=0.25, random_state=0)[0])
    np.testing.assert_allclose(Ridge().fit(a, c).predict(b), Ridge().fit(np.asarray(a), np.asarray(c)).predict(np.asarray(b)))


def test_networks_take_estimators_results():
    """What an estimator gives goes into a layer, and a layer's output into an estimator."""
    features = tg.from_numpy(PCA(4).fit_transform(TX)).float()
    hidden = tg.nn.Linear(4, 6)(features)
    assert LogisticRegression().fit(hidden.detach(), TY).score(hidden.detach(), TY) > 0.5


ARRAY_API = """
import numpy as np, tapegrad as tg, sklearn
from sklearn.datasets import make_classification
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, mean_squared_error
X, Y = make_classification(200, 8, random_state=0)
TX, TY = tg.from_numpy(X), tg.from_numpy(Y)
with sklearn.config_context(array_api_dispatch=True):
    for make in (StandardScaler, MinMaxScaler, lambda: PCA(4, svd_solver="full")):
        out = make().fit(TX).transform(TX)
        assert isinstance(out, tg.Tensor), make
        np.testing.assert_allclose(out.numpy(), make().fit(X).transform(X), atol=1e-9)
    ridge = Ridge(solver="svd").fit(TX, TY.double())
    assert isinstance(ridge.coef_, tg.Tensor)
    np.testing.assert_allclose(ridge.coef_.numpy(), Ridge(solver="svd").fit(X, Y).coef_, atol=1e-9)
    assert accuracy_score(TY, TY) == 1.0 and float(mean_squared_error(TX, TX)) == 0.0
print("dispatched")
"""


def test_array_api_dispatch():
    """Estimators that support the array API compute in tapegrad and give tensors."""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", ARRAY_API], capture_output=True, text=True, env={**os.environ, "SCIPY_ARRAY_API": "1"})
    assert run.stdout.strip() == "dispatched", run.stderr[-2000:]
