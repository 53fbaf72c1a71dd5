"""download.py against a server on this machine that misbehaves in every way we could think of."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.data import download
from shared.data.download import DownloadError, File, HubCorpus

BODY = bytes(range(256)) * 800  # 204,800 bytes: several chunks
SHORT = 0.4  # seconds of patience


class Handler(BaseHTTPRequestHandler):
    """The path says how to behave: /whole, /truncated, /404 ..."""

    def do_GET(self):
        behaviour = self.path.strip("/")
        wanted = self.headers.get("Range")
        self.server.asked.append((behaviour, wanted))
        if behaviour == "404":
            self.send_error(404)
            return
        if behaviour == "mute":  # takes the connection and never answers
            self.server.finished.wait(30)
            return
        if behaviour == "416" and wanted:
            self.send_error(416)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and behaviour != "no-range" else 0
        body = {"wrong": BODY[:-1] + b"!", "page": b"<html>please log in</html>", "long": BODY * 5}.get(behaviour, BODY)
        self.send_response(206 if start else 200)
        if start:
            claimed = start + 1 if behaviour == "wrong-range" else start
            self.send_header("Content-Range", f"bytes {claimed}-{len(body) - 1}/{len(body)}")
        body = body[start:]
        if behaviour not in ("no-length", "long"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if behaviour in ("truncated", "no-length", "stall"):
            body = body[: len(body) // 2]
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the client has heard enough
        if behaviour in ("stall", "long"):
            self.server.finished.wait(30)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """`.url`, and in `.asked` what was asked for: (behaviour, Range header or None)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    server.finished = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.finished.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def toy(server, monkeypatch, tmp_path):
    """toy("stall", "whole") has the corpus "toy" (one file) at these two addresses; returns where the file belongs."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def make(*behaviours):
        urls = tuple(one if "://" in one else f"{server.url}/{one}" for one in behaviours)
        file = File("toy/toy.bin", len(BODY), hashlib.sha256(BODY).hexdigest(), urls)
        monkeypatch.setattr(download, "FILES", {"toy": [file]})
        monkeypatch.setattr(download, "NAMES", ["toy"])
        monkeypatch.setattr(download, "BY_DEFAULT", ["toy"])
        return tmp_path / "toy" / "toy.bin"

    return make


def part_of(path):
    return path.with_name(path.name + ".part")


def write_part(path, data):
    path.parent.mkdir(parents=True)
    part_of(path).write_bytes(data)


def refused():
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/whole"


def test_a_good_file_is_fetched_once(toy, server, tmp_path):
    path = toy("whole")
    assert download.fetch("toy", tmp_path) == [path]
    assert path.read_bytes() == BODY
    assert not part_of(path).exists()
    download.fetch("toy", tmp_path)
    assert server.asked == [("whole", None)]


@pytest.mark.parametrize(
    "behaviour, reason",
    [
        ("404", "404"),
        ("truncated", "broke off"),
        ("no-length", "broke off"),
        ("stall", "fell silent"),
        ("mute", "no answer|timed out"),
        ("wrong", "wrong SHA-256"),
        ("page", "wrong SHA-256"),
        ("long", "wrong SHA-256"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_no_file(toy, tmp_path, behaviour, reason):
    path = toy(behaviour)
    with pytest.raises(DownloadError, match=reason):
        download.fetch("toy", tmp_path, timeout=SHORT)
    assert not path.exists()
    kept = behaviour in ("truncated", "no-length", "stall")  # worth going on from; a wrong file is not
    assert part_of(path).exists() == kept


@pytest.mark.parametrize("behaviour", ["404", "truncated", "stall", "mute", "wrong", "page", "long"])
def test_a_mirror_takes_over(toy, tmp_path, behaviour):
    path = toy(behaviour, "whole")
    download.fetch("toy", tmp_path, timeout=SHORT)
    assert path.read_bytes() == BODY


def test_the_mirror_goes_on_where_the_first_broke_off(toy, server, tmp_path):
    toy("truncated", "whole")
    download.fetch("toy", tmp_path)
    assert server.asked == [("truncated", None), ("whole", f"bytes={len(BODY) // 2}-")]


def test_refused_connection(toy, tmp_path):
    path = toy(refused())
    with pytest.raises(DownloadError, match="cannot connect"):
        download.fetch("toy", tmp_path)
    assert not path.exists()
    path = toy(refused(), "whole")
    download.fetch("toy", tmp_path)
    assert path.read_bytes() == BODY


def test_a_host_that_did_not_answer_is_not_asked_again(toy, server, tmp_path):
    unreachable = set()
    for _ in range(2):
        toy("mute")
        with pytest.raises(DownloadError):
            download.fetch("toy", tmp_path, timeout=SHORT, unreachable=unreachable)
    assert len(server.asked) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(have=st.integers(0, len(BODY) + 10), good=st.booleans(), behaviour=st.sampled_from(["whole", "no-range"]))
def test_any_leftover_is_completed_or_replaced(toy, server, tmp_path_factory, have, good, behaviour):
    folder = tmp_path_factory.mktemp("leftover")
    toy(behaviour)
    path = folder / "toy" / "toy.bin"
    write_part(path, (BODY + bytes(10))[:have] if good else b"x" * have)
    server.asked.clear()
    download.fetch("toy", folder)
    assert path.read_bytes() == BODY
    assert not part_of(path).exists()
    if good and 0 < have < len(BODY):
        assert server.asked == [(behaviour, f"bytes={have}-")]
    if good and have == len(BODY):
        assert server.asked == []


@pytest.mark.parametrize("behaviour", ["wrong-range", "416"])
def test_a_server_that_cannot_send_the_rest_is_asked_for_all(toy, server, tmp_path, behaviour):
    path = toy(behaviour)
    write_part(path, BODY[:1000])
    download.fetch("toy", tmp_path)
    assert path.read_bytes() == BODY
    assert server.asked == [(behaviour, "bytes=1000-"), (behaviour, None)]


def test_an_interrupted_download_goes_on_in_the_next_call(toy, server, tmp_path):
    path = toy("stall")
    with pytest.raises(DownloadError):
        download.fetch("toy", tmp_path, timeout=SHORT)
    have = part_of(path).stat().st_size
    assert 0 < have < len(BODY)
    toy("whole")
    download.fetch("toy", tmp_path)
    assert path.read_bytes() == BODY
    assert server.asked[-1] == ("whole", f"bytes={have}-")


def test_a_damaged_file_is_replaced_only_by_a_good_one(toy, tmp_path):
    path = toy("wrong")
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    assert download.damaged("toy", tmp_path) == [path]
    with pytest.raises(DownloadError):
        download.fetch("toy", tmp_path)
    assert path.read_bytes() == b"damaged"
    toy("whole")
    download.fetch("toy", tmp_path)
    assert path.read_bytes() == BODY
    assert download.damaged("toy", tmp_path) == []


def test_a_folder_that_cannot_be_made(toy, tmp_path):
    toy("whole")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DownloadError, match="cannot write into"):
        download.fetch("toy", tmp_path / "file")


def test_a_read_only_folder(toy, tmp_path, monkeypatch):
    toy("whole")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who can write everywhere
    with pytest.raises(DownloadError, match="read-only"):
        download.fetch("toy", tmp_path)


def test_data_dir_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LM_DATA_DIR", str(tmp_path))
    assert download.paths("names") == [tmp_path / "names.txt"]
    monkeypatch.delenv("LM_DATA_DIR")
    assert download.paths("names") == [Path(download.__file__).parent / "corpora" / "names.txt"]


# --- the command --------------------------------------------------------------------------------------------------


def test_report_and_exit_status(toy, tmp_path, capsys):
    toy("404")
    assert download.main(["--data-dir", str(tmp_path)]) == 1
    report = capsys.readouterr().out
    assert "toy          MISSING" in report and "404" in report
    assert "python -m shared.data.download toy" in report

    toy("whole")
    assert download.main(["toy", "--data-dir", str(tmp_path)]) == 0
    assert "downloaded  0.2 MB" in capsys.readouterr().out
    assert download.main(["toy", "--data-dir", str(tmp_path)]) == 0
    assert "was there" in capsys.readouterr().out


def test_one_missing_corpus_does_not_keep_the_others_back(toy, tmp_path, capsys, monkeypatch):
    good = toy("whole")
    digest = hashlib.sha256(BODY).hexdigest()
    both = {"gone": [File("gone.bin", len(BODY), digest, (refused(),))], **download.FILES}
    monkeypatch.setattr(download, "FILES", both)
    monkeypatch.setattr(download, "NAMES", list(both))
    assert download.main(["gone", "toy", "--data-dir", str(tmp_path)]) == 1
    assert good.read_bytes() == BODY
    assert "missing: gone" in capsys.readouterr().out


def test_a_wrong_name_is_answered_with_the_nearest(capsys):
    assert download.main(["shakespear"]) == 2
    assert "did you mean shakespeare?" in capsys.readouterr().err


def test_ctrl_c_is_one_line(toy, tmp_path, capsys, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    toy("whole")
    monkeypatch.setattr(download, "_fetch_file", interrupted)
    assert download.main(["toy", "--data-dir", str(tmp_path)]) == 130
    assert "same command" in capsys.readouterr().err


def test_it_runs_as_a_script_and_as_a_module(tmp_path):
    script = Path(download.__file__)
    for command in ([str(script)], ["-m", "shared.data.download"]):
        root = {**os.environ, "PYTHONPATH": str(script.parents[2])}
        answer = subprocess.run([sys.executable, *command, "--help"], capture_output=True, text=True, env=root)
        assert answer.returncode == 0 and "multi30k" in answer.stdout
        assert answer.stderr == ""


def test_the_table_is_sane():
    for files in download.FILES.values():
        for file in files:
            assert len(file.sha256) == 64 and file.size > 0 and len(file.urls) >= 2
            assert all(url.startswith("https://") for url in file.urls)


# --- what comes from the hub, here from a folder in the same layout -----------------------------------------------


@pytest.fixture
def hub_folder(tmp_path):
    """wikitext-2 and tinystories in miniature, in two files where the hub has several."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(name, rows):
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table({"text": rows}), path)

    write("wikitext-2-raw-v1/train-00000-of-00002.parquet", ["", " = Title = \n", ""])
    write("wikitext-2-raw-v1/train-00001-of-00002.parquet", [f" Gr\u00fc\u00dfe {i} . \n" for i in range(2500)])
    write("wikitext-2-raw-v1/validation-00000-of-00001.parquet", ["", " valid \n"])
    write("wikitext-2-raw-v1/test-00000-of-00001.parquet", ["", " test \n"])
    write("data/train-00000-of-00001.parquet", ["Once.\n\nThe end.", "Twice."])
    write("data/validation-00000-of-00001.parquet", ["Never."])
    return tmp_path / "hub"


def test_wikitext_from_parquet(hub_folder, tmp_path):
    files = download.fetch("wikitext-2", tmp_path, source=hub_folder)
    assert files == [tmp_path / "wikitext-2" / f"{split}.txt" for split in ("train", "validation", "test")]
    train, val, test = (path.read_bytes().decode("utf-8") for path in files)
    assert train == " \n = Title = \n \n" + "".join(f" Grüße {i} . \n" for i in range(2500))
    assert (val, test) == (" \n valid \n", " \n test \n")
    assert not list(tmp_path.rglob("*.part"))


def test_tinystories_from_parquet(hub_folder, tmp_path):
    train, val = download.fetch("tinystories", tmp_path, source=hub_folder)
    end = "\n<|endoftext|>\n"
    assert train.read_bytes().decode("utf-8") == f"Once.\n\nThe end.{end}Twice.{end}"
    assert val.read_bytes().decode("utf-8") == f"Never.{end}"


def test_a_split_that_is_missing_or_broken_or_empty(hub_folder, tmp_path):
    train, val, test = (tmp_path / "wikitext-2" / f"{split}.txt" for split in ("train", "validation", "test"))
    hub = hub_folder / "wikitext-2-raw-v1"
    hub_val, hub_test = (hub / f"{split}-00000-of-00001.parquet" for split in ("validation", "test"))
    whole = hub_val.read_bytes()
    hub_val.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DownloadError, match="validation"):
        download.fetch("wikitext-2", tmp_path, source=hub_folder)
    assert train.exists() and not val.exists()
    hub_val.write_bytes(whole)
    hub_test.unlink()
    with pytest.raises(DownloadError, match="test"):
        download.fetch("wikitext-2", tmp_path, source=hub_folder)
    assert val.exists() and not test.exists()


def test_the_hub_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", refused())
    with pytest.raises(DownloadError, match="cannot connect"):
        download.fetch("tinystories", tmp_path, timeout=SHORT)


def test_the_hub_corpora_are_pinned():
    for corpus in download.HUB.values():
        assert isinstance(corpus, HubCorpus) and len(corpus.revision) == 40
