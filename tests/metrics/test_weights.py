import os
import pickle
from typing import Any

import numpy as np
import pytest

from vibench.errors import InputError
from vibench.metrics.networks.weights import read_pickled_arrays


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@pytest.mark.parametrize("protocol", [3, 4])
def test_nested_arrays_come_back_under_their_paths(protocol: int) -> None:
    tree = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "b": np.ones(2)}
    flat = read_pickled_arrays(pickle.dumps(tree, protocol))
    assert list(flat) == ["a/kernel", "b"]
    np.testing.assert_array_equal(flat["a/kernel"], tree["a"]["kernel"])


def test_arrays_pickled_by_numpy_1_are_read() -> None:
    content = pickle.dumps({"a": np.arange(3)}, 3).replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(read_pickled_arrays(content)["a"], [0, 1, 2])


@pytest.mark.parametrize("hostile", [Command(), {"a": Command()}, np.array([Command()], object)])
def test_a_pickle_that_wants_code_is_refused_and_runs_nothing(hostile: Any) -> None:
    with pytest.raises(InputError, match=r"the pickle wants posix.system; only numpy arrays are read"):
        read_pickled_arrays(pickle.dumps(hostile))


@pytest.mark.parametrize("tree", [{"a": "text"}, [np.ones(1)], np.array(["text"]), {"a": {"b": 3}}, None])
def test_a_pickle_of_anything_but_arrays_of_numbers_is_refused(tree: Any) -> None:
    with pytest.raises(InputError, match="only numpy arrays are read"):
        read_pickled_arrays(pickle.dumps(tree))


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(np.ones(100))[:-50]])
def test_a_damaged_pickle_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(InputError, match="this is no pickle of numpy arrays"):
        read_pickled_arrays(content)
