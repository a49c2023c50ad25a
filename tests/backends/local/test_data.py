"""Data sets on this machine: pinned by content, sampled once; with real files in every format."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import time
from datetime import time as clock_time
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctrain.backends.local import digest_cache
from ctrain.backends.local.data import LocalData
from ctrain.backends.local.home import Home
from ctrain.data import SampleSpec
from ctrain.digest import tree_digest
from ctrain.errors import DataError, PlatformUnavailable

HALF = SampleSpec(0.5, "id", seed=7)


@pytest.fixture
def data(tmp_path: Path) -> LocalData:
    (tmp_path / "project").mkdir()
    return LocalData(Home(tmp_path / "home"), tmp_path / "project")


def some_rows(n: int, start: int = 0) -> pl.DataFrame:
    """Ids, a rare label, and a text."""
    ids = range(start, start + n)
    return pl.DataFrame({"id": ids, "label": [int(i % 50 == 0) for i in ids], "note": [f"n{i}" for i in ids]})


def written(frame: pl.DataFrame, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        frame.write_csv(file)
    else:
        frame.write_parquet(file)
    return file


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are entered at once, so that a test need not wait for a file to grow two seconds old."""
    monkeypatch.setattr(digest_cache, "SETTLED_NS", 0)


def ids(path: str | Path) -> list[int]:
    path = Path(path)
    parts = sorted(part for part in path.rglob("*") if part.suffix in (".csv", ".parquet")) if path.is_dir() else [path]
    frames = [pl.read_csv(part) if part.suffix == ".csv" else pl.read_parquet(part) for part in parts]
    return [int(i) for frame in frames for i in frame["id"].to_list()]


class TestPinning:
    @pytest.mark.parametrize(("name", "rows"), [("visits.parquet", 40), ("visits.csv", 40), ("visits.bin", None)])
    def test_a_file_is_pinned_by_its_bytes(self, data: LocalData, name: str, rows: int | None) -> None:
        """The digest is the file's sha256, its beginning the version, its stem the name."""
        file = written(some_rows(40), data.root / name)
        pinned = data.pin(name)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert (pinned.name, pinned.version, pinned.digest) == ("visits", digest[:12], digest)
        assert (pinned.uri, pinned.size, pinned.rows) == (str(file), file.stat().st_size, rows)

    def test_a_folder_is_pinned_by_its_files(self, data: LocalData) -> None:
        """Parts in any depth count, and files beside them belong to the content."""
        written(some_rows(30), data.root / "visits/a.parquet")
        written(some_rows(12, 30), data.root / "visits/more/b.csv")
        (data.root / "visits/MLTable").write_text("paths: []\n")
        pinned = data.pin("visits")
        assert (pinned.name, pinned.rows) == ("visits", 42)
        assert pinned.digest == tree_digest(data.root / "visits")

    def test_quoted_line_breaks_are_no_rows(self, data: LocalData) -> None:
        """A CSV's rows are counted as rows, not as lines."""
        (data.root / "x.csv").write_text('id,t\r\n1,"a\nb"\r\n2,c\r\n')
        assert data.pin("x.csv").rows == 2

    def test_pinning_again_says_the_same_from_another_process_too(self, data: LocalData, trusting: None) -> None:
        """What was cached is what would be read."""
        file = written(some_rows(40), data.root / "visits.parquet")
        assert data.pin("visits.parquet") == data.pin(str(file)) == LocalData(data.home, data.root).pin(str(file))

    def test_an_edit_that_keeps_size_and_time_is_seen(self, data: LocalData, trusting: None) -> None:
        """The time of a change of the inode cannot be set back by `touch`."""
        file = data.root / "x.txt"
        file.write_text("one")
        data.pin("x.txt")
        time.sleep(0.02)  # more than a tick of the file system's clock
        before, times = data.pin("x.txt"), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        file.write_text("two")
        os.utime(file, ns=times)
        assert data.pin("x.txt").digest == hashlib.sha256(b"two").hexdigest() != before.digest

    def test_a_file_that_has_just_been_written_is_read_again(self, data: LocalData) -> None:
        """Two changes within one tick of the clock look like one."""
        file = data.root / "x.txt"
        for content in (b"one", b"two", b"six") * 5:
            file.write_bytes(content)
            assert data.pin("x.txt").digest == hashlib.sha256(content).hexdigest()

    def test_a_broken_cache_is_no_cache(self, data: LocalData, trusting: None) -> None:
        """It is rebuilt."""
        written(some_rows(40), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        for cached in (data.home.data / "digests").iterdir():
            cached.write_text('{"files": 3}')
        assert data.pin("visits.parquet") == pinned

    def test_a_link_is_pinned_as_what_it_points_to(self, data: LocalData) -> None:
        """Turning it elsewhere later does not turn what was pinned."""
        written(some_rows(4), data.root / "v1.parquet")
        (data.root / "current.parquet").symlink_to("v1.parquet")
        pinned = data.pin("current.parquet")
        assert (pinned.name, pinned.uri) == ("current", str(data.root / "v1.parquet"))

    @pytest.mark.parametrize(
        ("reference", "says"),
        [
            ("gone.csv", "does not exist"),
            ("empty.csv", "is empty"),
            ("nothing", "is empty"),
            ("torn.parquet", "not a PARQUET file"),
            ("https://example.org/x.csv", "not on this machine"),
            ("azureml:visits", "not a data asset's name"),
            ("azureml:../../x:1", "not a data asset's name"),
            ("azureml:visits@newest", "not a data asset's name"),
            ("azureml:visits@latest", "no data asset"),
            ("azureml:visits:3", "no data asset"),
        ],
    )
    def test_what_cannot_be_pinned_is_refused(self, data: LocalData, reference: str, says: str) -> None:
        """In words, with a hint."""
        (data.root / "empty.csv").touch()
        (data.root / "nothing").mkdir()
        (data.root / "torn.parquet").write_bytes(b"PAR1 and then nothing")
        with pytest.raises(DataError, match=says) as refused:
            data.pin(reference)
        assert refused.value.hint

    def test_assets_have_versions_that_sort_as_numbers(self, data: LocalData) -> None:
        """`@latest` is 10, not 9; a version with one file in it is that file."""
        for version, rows in (("9", 3), ("10", 5)):
            written(some_rows(rows), data.home.data / "assets/visits" / version / "v.parquet")
        latest, ninth = data.pin("azureml:visits@latest"), data.pin("azureml:visits:9")
        assert (latest.name, latest.version, latest.rows) == ("visits", "10", 5)
        assert (ninth.version, ninth.rows, Path(ninth.uri).name) == ("9", 3, "v.parquet")

    def test_verifying_tells_whether_it_is_still_what_was_pinned(self, data: LocalData) -> None:
        """A flow asks before it trains, and before it believes in what came out."""
        file = written(some_rows(4), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        data.verify(pinned)
        written(some_rows(5), file)
        with pytest.raises(DataError, match="has changed since it was pinned"):
            data.verify(pinned)

    def test_pinning_known_data_loads_no_library_for_rows(self, data: LocalData) -> None:
        """`ctrain plan` has 0.4 s, and polars takes a third of it."""
        file = written(some_rows(4), data.root / "visits.parquet")
        data.pin("visits.parquet")
        code = (
            "import sys; from pathlib import Path; from ctrain.backends.local.data import LocalData; "
            "from ctrain.backends.local.home import Home; "
            f"print(LocalData(Home(Path({str(data.home.root)!r})), Path()).pin({str(file)!r}).rows); "
            "sys.exit(bool({'polars', 'numpy', 'pyarrow'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "4\n")


class TestSampling:
    @pytest.mark.parametrize("name", ["visits.parquet", "visits.csv"])
    def test_a_sample_is_a_file_of_the_same_format_with_rows_in_order(self, data: LocalData, name: str) -> None:
        """A DataVersion of its own content, under the data set's name."""
        whole = written(some_rows(400), data.root / name)
        pinned = data.pin(name)
        sample = data.sample(pinned, HALF)
        kept = ids(sample.uri)
        assert (sample.name, Path(sample.uri).name, sample.sample) == ("visits", name, HALF)
        assert sample.digest == tree_digest(Path(sample.uri)) != pinned.digest
        assert (sample.rows, sample.version) == (len(kept), sample.digest[:12])
        assert kept == sorted(kept)
        assert 150 < len(kept) < 250
        assert tree_digest(whole) == pinned.digest

    def test_the_rows_are_the_same_in_csv_parquet_and_parts(self, data: LocalData) -> None:
        """With integer keys; and independent of how pandas spells them."""
        frame = some_rows(300)
        written(frame, data.root / "a.parquet")
        written(frame, data.root / "b.csv")
        written(frame.with_columns(pl.col("id").cast(pl.Float64)), data.root / "c.csv")
        written(frame[:100], data.root / "d/1.parquet")
        written(frame[100:], data.root / "d/2.csv")
        samples = [ids(data.sample(data.pin(name), HALF).uri) for name in ("a.parquet", "b.csv", "c.csv", "d")]
        assert all(sample == samples[0] for sample in samples)

    @given(n=st.integers(1, 60), cut=st.integers(0, 60), seed=st.integers(0, 99), csv=st.booleans())
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_rows_stay_in_as_data_grows_strata_too(
        self, tmp_path_factory: pytest.TempPathFactory, n: int, cut: int, seed: int, csv: bool
    ) -> None:
        """At the end of the file, with more strata to come; and each stratum is there."""
        folder = tmp_path_factory.mktemp("grown")
        store = LocalData(Home(folder / "home"), folder)
        kinds = ["aab"[(seed + i * i) % 3] + ("z" if i > 40 else "") for i in range(n)]
        frame = pl.DataFrame({"id": range(n), "kind": kinds})
        spec, suffix = SampleSpec(0.2, "id", "kind", seed), "csv" if csv else "parquet"
        old, new = frame[: max(1, min(cut, n))], frame
        before, after = (
            ids(store.sample(store.pin(str(written(part, folder / f"{name}.{suffix}"))), spec).uri)
            for name, part in (("old", old), ("new", new))
        )
        assert after[: len(before)] == before
        assert set(new.filter(pl.col("id").is_in(after))["kind"]) == set(kinds)

    def test_the_rows_of_one_key_are_in_together_whatever_their_strata(self, data: LocalData) -> None:
        """A person's years are not split, though the label differs between them."""
        frame = pl.DataFrame({"id": [i // 5 for i in range(500)], "label": [i % 7 for i in range(500)]})
        written(frame, data.root / "visits.parquet")
        sample = data.sample(data.pin("visits.parquet"), SampleSpec(0.1, "id", "label"))
        counts = pl.read_parquet(sample.uri)["id"].value_counts()["count"]
        assert set(counts.to_list()) == {5}

    def test_the_share_is_kept_in_each_stratum(self, data: LocalData) -> None:
        """Within five standard deviations, and never without a row."""
        frame = some_rows(20_000).with_columns(kind=pl.when(pl.col("id") == 777).then(2).otherwise(pl.col("label")))
        written(frame, data.root / "visits.parquet")
        sample = data.sample(data.pin("visits.parquet"), SampleSpec(0.05, "id", "kind", 3))
        kept = dict(pl.read_parquet(sample.uri)["kind"].value_counts().iter_rows())
        assert kept[2] == 1
        for kind, n in ((0, 19_599), (1, 400)):
            assert abs(kept[kind] - 0.05 * n) <= 5 * math.sqrt(0.05 * 0.95 * n)

    def test_a_second_call_reuses_the_first(self, data: LocalData) -> None:
        """Nothing is written; planning sees it before and after."""
        written(some_rows(400), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        assert data.sampled(pinned, HALF) is None
        made = data.sample(pinned, HALF)
        inode = Path(made.uri).stat().st_ino
        assert data.sampled(pinned, HALF) == data.sample(pinned, HALF) == made
        assert Path(made.uri).stat().st_ino == inode

    def test_a_sample_that_was_spoilt_is_made_again(self, data: LocalData) -> None:
        """Edited or lost: what is handed out has its digest."""
        written(some_rows(400), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        made = data.sample(pinned, HALF)
        Path(made.uri).chmod(0o644)
        Path(made.uri).write_bytes(b"spoilt")
        assert data.sampled(pinned, HALF) is None
        assert data.sample(pinned, HALF) == made
        assert tree_digest(Path(made.uri)) == made.digest

    def test_data_that_changed_since_it_was_pinned_is_not_sampled(self, data: LocalData) -> None:
        """Or the sample would be of something else."""
        file = written(some_rows(400), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        written(some_rows(401), file)
        with pytest.raises(DataError, match="has changed since"):
            data.sample(pinned, HALF)

    def test_an_mltable_folder_stays_one(self, data: LocalData) -> None:
        """Its parts are sampled in place, what describes them is copied, and checksums of the old parts are not."""
        written(some_rows(100), data.root / "t/x/1.parquet")
        written(some_rows(100, 100), data.root / "t/x/2.parquet")
        (data.root / "t/MLTable").write_text("paths: [{pattern: ./x/*.parquet}]\n")
        (data.root / "t/x/.1.parquet.crc").write_text("crc")
        (data.root / "t/x/_SUCCESS").touch()
        sample = data.sample(data.pin("t"), HALF)
        found = {str(file.relative_to(sample.uri)) for file in Path(sample.uri).rglob("*") if file.is_file()}
        assert found == {"MLTable", "x/1.parquet", "x/2.parquet", "x/_SUCCESS"}
        assert sample.digest == tree_digest(Path(sample.uri))

    def test_csv_values_keep_their_spelling(self, data: LocalData) -> None:
        """A sample is read as the whole is: 0.10 and 007, missing and empty, quotes, a byte order mark."""
        rows = [f'{i};0.10;007;;"";"a ""b"";\n{i}";1e3' for i in range(40)]
        (data.root / "x.csv").write_text("\ufeffid;p;z;m;e;q;s\n" + "\n".join(rows) + "\n")
        sample = data.sample(data.pin("x.csv"), HALF)
        whole = pl.read_csv(data.root / "x.csv", separator=";", infer_schema=False)
        part = pl.read_csv(sample.uri, separator=";", infer_schema=False)
        assert part.rows() == whole.filter(pl.col("id").is_in(part["id"].implode())).rows()
        assert part["z"].unique().to_list() == ["007"]

    @pytest.mark.parametrize("exotic", [False, True])
    def test_a_parquet_sample_has_the_schema_and_the_index_of_the_whole(self, data: LocalData, exotic: bool) -> None:
        """Arrow's types, nullability and metadata: pandas gives back the same types and index."""
        frame = pd.DataFrame(
            {
                "id": range(60),
                "text": ["a", None, "c"] * 20,
                "flag": [True, False, None] * 20,
            },
            index=pd.Index([*range(100, 160)], name="row"),
        )
        if exotic:
            frame["size"] = pd.Categorical(["S", "M", "L"] * 20, categories=["S", "M", "L"], ordered=True)
        table = pa.Table.from_pandas(frame)
        table = table.append_column("day", pa.array(range(60), pa.timestamp("us", "Europe/Paris")))
        table = table.append_column("word", pa.array(["x"] * 60, pa.string()))
        table = table.append_column(
            pa.field("n", pa.int32(), nullable=False, metadata={"m": "1"}), pa.array([1] * 60, pa.int32())
        )
        if exotic:
            table = table.append_column("at", pa.array([clock_time(8)] * 60, pa.time32("s")))
            lists = pa.array([[1]] * 60, pa.list_(pa.int8()))
            table = table.append_column(pa.field("full", lists.type, nullable=False), lists)
        pq.write_table(table, data.root / "x.parquet")
        sample = data.sample(data.pin("x.parquet"), HALF)
        whole, part = pq.read_table(data.root / "x.parquet"), pq.read_table(sample.uri)
        assert part.schema.equals(whole.schema, check_metadata=True)
        assert part.equals(whole.filter(pa.array([i in ids(sample.uri) for i in range(60)])))
        assert part.to_pandas().index.tolist() == [100 + i for i in ids(sample.uri)]

    @pytest.mark.parametrize(
        ("frame", "spec", "says"),
        [
            (some_rows(9), SampleSpec(0.5, "ids"), "did you mean 'id'"),
            (some_rows(9), SampleSpec(0.5, "id", "lable"), "did you mean 'label'"),
            (pl.DataFrame({"id": [1, None, None]}), HALF, "2 rows of .* have no 'id'"),
            (pl.DataFrame({"id": [1.0, 1.5, math.nan]}), HALF, "2 rows of .* no whole number"),
            (pl.DataFrame({"id": [True, False]}), HALF, "cannot be a key"),
            (pl.DataFrame({"id": [1], "k": [[1]]}), SampleSpec(0.5, "id", "k"), "cannot make strata"),
            (some_rows(1001), SampleSpec(0.5, "id", "note"), "more than 1,000 values"),
            (some_rows(9), SampleSpec(1e-9, "id"), "no row of visits falls into the sample"),
            (some_rows(9), SampleSpec(1.5, "id"), "not a fraction"),
        ],
    )
    def test_what_cannot_be_sampled_is_refused(
        self, data: LocalData, frame: pl.DataFrame, spec: SampleSpec, says: str
    ) -> None:
        """With what is wrong and a hint, and without anything left behind."""
        written(frame, data.root / "visits.parquet")
        with pytest.raises(DataError, match=says):
            data.sample(data.pin("visits.parquet"), spec)
        assert {item.name for item in data.home.data.glob("samples/*")} <= {".lock"}

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("x.bin", b"abc", "cannot be sampled"),
            ("x.csv", b"id,a\n1,2,3\n", "not a CSV file"),
            ("x.csv", b"id,a\n\xff\xfe,2\n", "not a CSV file"),
            ("x.csv", b"id,a,a\n1,2,3\n", "two columns 'a'"),
            ("x.csv", b"a,b\n1,2\n", "no column 'id'"),
        ],
    )
    def test_files_that_are_no_tables_are_refused(self, data: LocalData, name: str, content: bytes, says: str) -> None:
        """By name and reason."""
        (data.root / name).write_bytes(content)
        with pytest.raises(DataError, match=says):
            data.sample(data.pin(name), HALF)

    def test_a_disk_that_cannot_be_written_is_said_to_be_so(self, data: LocalData) -> None:
        """It is the platform's fault, not the data's, and leaves no half of a sample."""
        written(some_rows(9), data.root / "visits.parquet")
        pinned = data.pin("visits.parquet")
        (data.home.data / "samples").write_text("a file where the folder should be")
        with pytest.raises(PlatformUnavailable, match="cannot write"):
            data.sample(pinned, HALF)

    @pytest.mark.parametrize("name", ["visits.csv", "visits.parquet"])
    def test_a_disk_that_fills_up_leaves_no_half_of_a_sample(self, data: LocalData, name: str) -> None:
        """A limit on the size of files stands in for the disk: the write fails half-way."""
        frame = some_rows(50_000).with_columns(noise=pl.int_range(50_000).hash())
        written(frame, data.root / name)
        code = (
            "import resource, sys; from pathlib import Path; from ctrain.backends.local.data import LocalData; "
            "from ctrain.backends.local.home import Home; from ctrain.data import SampleSpec; "
            "from ctrain.errors import PlatformUnavailable; "
            "data = LocalData(Home(Path(sys.argv[1])), Path(sys.argv[2])); pinned = data.pin(sys.argv[3]); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "try:\n    data.sample(pinned, SampleSpec(0.9, 'id'))\n"
            "except PlatformUnavailable as failure:\n    print(failure.hint)"
        )
        command = [sys.executable, "-c", code, str(data.home.root), str(data.root), name]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        assert "make room on the disk" in told
        assert {item.name for item in (data.home.data / "samples").iterdir()} == {".lock"}

    def test_callers_at_the_same_time_get_the_same_sample(self, data: LocalData) -> None:
        """One makes it, the others wait."""
        written(some_rows(5000), data.root / "visits.csv")
        makers = [a_sampler(data) for _ in range(3)]
        told = {maker.communicate(timeout=60)[0] for maker in makers}
        made = data.sample(data.pin("visits.csv"), HALF)
        assert told == {f"{made.uri} {made.digest}\n"}
        assert tree_digest(Path(made.uri)) == made.digest

    def test_killed_at_any_moment_it_is_made_by_the_next(self, data: LocalData) -> None:
        """`kill -9`: the lock goes with the process, and no half of a sample is taken for one."""
        written(some_rows(400_000), data.root / "visits.csv")
        for wait in (0.0, 0.03, 0.1):
            maker = a_sampler(data)
            wait_for_work(data, maker)
            time.sleep(wait)
            maker.kill()
            maker.communicate(timeout=60)
        made = data.sample(data.pin("visits.csv"), HALF)
        assert tree_digest(Path(made.uri)) == made.digest
        left = {item.name for item in (data.home.data / "samples").iterdir()}
        assert left == {".lock", Path(made.uri).parent.name}


def a_sampler(data: LocalData) -> subprocess.Popen[str]:
    """A process that samples, and tells where and what."""
    code = (
        "import sys; from pathlib import Path; from ctrain.backends.local.data import LocalData; "
        "from ctrain.backends.local.home import Home; from ctrain.data import SampleSpec; "
        "data = LocalData(Home(Path(sys.argv[1])), Path(sys.argv[2])); "
        "made = data.sample(data.pin('visits.csv'), SampleSpec(0.5, 'id', seed=7)); print(made.uri, made.digest)"
    )
    command = [sys.executable, "-c", code, str(data.home.root), str(data.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for_work(data: LocalData, maker: subprocess.Popen[str]) -> None:
    """Until a sample has been begun, at most half a minute."""
    until = time.monotonic() + 30
    while maker.poll() is None and not any(data.home.data.glob("samples/.*.partial")):
        assert time.monotonic() < until
        time.sleep(0.003)
