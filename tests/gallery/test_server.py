"""The JSON API of a gallery: its answers, its limits, and what it refuses."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from reidzoo.errors import UserError
from reidzoo.evaluation.calibration import Calibration
from reidzoo.gallery import Gallery
from reidzoo.gallery.server import Limits, create_app

testclient = pytest.importorskip("starlette.testclient", reason="pip install 'reidzoo[serve]' httpx")
pytest.importorskip("python_multipart", reason="pip install 'reidzoo[serve]'")
LIMITS = Limits(bytes=50_000, pixels=100_000, matches=5)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def client_of(gallery, prior=None):
    return testclient.TestClient(create_app(gallery, LIMITS, prior=prior), base_url="http://127.0.0.1:8000")


@pytest.fixture
def client(model, people):
    return client_of(Gallery.build(model, people))


@pytest.fixture
def bob(people):
    return (people / "Bob" / "Bob_c10.jpg").read_bytes()


def search(client, content, **form):
    return client.post("/api/search", files={"picture": ("x.jpg", content)}, data=form)


def test_what_is_served(client, model):
    about = client.get("/api/gallery").json()
    assert (about["images"], about["identities"], about["cameras"]) == (6, 3, ["0", "10"])
    assert about["sha256"] == model.info["sha256"] and not about["calibrated"] and about["threshold"] is None


def test_search_ranks_the_gallery(client, bob, model, people):
    answer = search(client, bob, k=4).json()["matches"]
    (expected,) = Gallery.build(model, people).search(people / "Bob" / "Bob_c10.jpg", 4)
    assert [str(people / match["name"]) for match in answer] == [match.name for match in expected]
    assert answer[0]["file"] == "Bob_c10.jpg" and answer[0]["identity"] == "Bob" and answer[0]["probability"] is None
    assert {match["camera"] for match in search(client, bob, camera=["0"]).json()["matches"]} == {"0"}
    assert len(search(client, bob, k=5, camera=["0", "10"], rerank="true").json()["matches"]) == 5


def test_compare_two_pictures(client, bob, people):
    name = "Bob/Bob_c10.jpg"
    for answer in (
        client.post("/api/compare", files={"first": bob, "second": bob}),
        client.post("/api/compare", files={"first": bob}, data={"name": name}),
    ):
        found = answer.json()
        assert 1 - 1e-5 < found["similarity"] <= 1 and found["side"] is None
        assert len(found["influence"]) == 2 and "is not calibrated" in found["reasons"][0]
        assert "in this gallery the similarity of two pictures of one identity is" in found["reasons"][-1]
    assert client.post("/api/compare", files={"first": bob}).status_code == 422
    assert client.post("/api/compare", files={"first": bob}, data={"name": "nobody"}).status_code == 404


def test_a_calibrated_model_says_probabilities(model, people, bob):
    settings = {"far": 0.001, "interval": (0.9, 0.97), "prior": 0.5, "method": "logistic", "slope": 8.0}
    model.calibration = Calibration(0.95, **settings, intercept=-4.0, knots=(0.0, 1.0), values=(0.1, 0.9))
    gallery = Gallery.build(model, people)  # of three people, two images each: one pair in five

    def expected(similarity, prior):
        return pytest.approx(model.calibration.probability(similarity, prior).item(), abs=1e-6)

    for prior, said in ((None, 0.5), (0.1, 0.1)):  # one for all that is ranked and compared, as ``model.same`` has it
        client = client_of(gallery, prior)
        about = client.get("/api/gallery").json()
        assert (about["threshold"], about["far"], about["prior"]) == (0.95, 0.001, said)
        matches = search(client, bob).json()["matches"]
        pairs = [{"files": {"first": bob, "second": bob}}]
        pairs += [{"files": {"first": bob}, "data": {"name": match["name"]}} for match in matches]
        compared = [client.post("/api/compare", **pair).json() for pair in pairs]
        for answer in (*matches, *compared):
            assert answer["probability"] == expected(answer["similarity"], said)
        assert compared[0]["side"] == "above" and compared[-1]["side"] == "below"
        assert "threshold 0.95, which 0.1 % of the pairs of two identities reached" in compared[0]["reasons"][0]
        share = f"{100 * float(model.calibration.probability(1.0, 0.2)):.1f} %"
        assert f"for a prior of {100 * said:g} %, the share of pairs" in compared[0]["reasons"][-1]
        assert f"a prior of 20 %, as among this gallery's pictures, it is {share}." in compared[0]["reasons"][-1]
    with pytest.raises(UserError, match="--prior"):
        client_of(gallery, 1.0)


@pytest.mark.slow
def test_pictures_of_the_gallery_and_no_other_file(client, people, tmp_path):
    name = people / "Ann" / "Ann_c0.jpg"
    answer = client.get("/api/picture", params={"name": "Ann/Ann_c0.jpg"})
    assert answer.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(answer.content)).size == (16, 32)
    secret = tmp_path / "people" / "secret.jpg"
    Image.new("RGB", (8, 8)).save(secret)
    for path in (
        secret,
        name,
        f"{name.parent}/../secret.jpg",
        f"{name}/../Ann_c0.jpg",
        "/etc/passwd",
        "",
        "../../etc/passwd",
    ):
        answer = client.get("/api/picture", params={"name": str(path)})
        assert answer.status_code == 404 and answer.json() == {"detail": "the gallery has no picture of this name"}
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/docs"):
        assert client.get(path).status_code == 404
    name.unlink()
    answer = client.get("/api/picture", params={"name": "Ann/Ann_c0.jpg"})
    assert answer.status_code == 422 and "the file of Ann/Ann_c0.jpg is gone" in answer.text
    assert str(tmp_path) not in answer.text


def animated():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def pages():
    return encoded(Image.new("L", (8, 8)), "TIFF", save_all=True, append_images=[Image.new("L", (8, 8))])


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP", "BMP", "JPEG"])
def test_what_folders_are_read_for_is_taken(client, kind):
    assert search(client, encoded(Image.new("RGB", (8, 8)), kind)).status_code == 200


@pytest.mark.parametrize(
    "content, status, problem",
    [
        (lambda: b"no picture", 422, "x.jpg is not a picture that can be read"),
        (lambda: b"", 422, "not a picture"),
        (lambda: encoded(Image.effect_noise((32, 32), 9))[:-200], 422, "not a picture that can be read"),
        (lambda: encoded(Image.new("1", (1000, 101))), 422, "1000 x 101 pixels; 100,000 are taken"),
        (lambda: encoded(Image.new("RGB", (8, 8))) + bytes(50_000), 422, "bytes; 50,000 are taken"),
        (lambda: bytes(200_000), 413, "a request may have"),
        (lambda: encoded(Image.new("RGB", (8, 8)), "GIF"), 422, "not a picture"),  # formats that nobody needs here
        (animated, 422, "several frames"),
        (pages, 422, "several frames"),
        (lambda: encoded(Image.new("1", (1000, 101)), "TIFF"), 422, "1000 x 101 pixels; 100,000 are taken"),
        (lambda: encoded(Image.new("F", (8, 8)), "TIFF"), 422, "x.jpg has pixels of PIL's mode F"),
    ],
)
def test_what_is_no_picture_is_refused(client, content, status, problem):
    answer = search(client, content())
    assert answer.status_code == status and problem in answer.text and "BytesIO" not in answer.text


def test_a_body_that_does_not_say_its_length_is_cut_off(client):
    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        for _ in range(1000):
            yield bytes(10_000)

    answer = client.post("/api/search", content=endless(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413


@pytest.mark.parametrize("form", [{"k": 0}, {"k": 6}, {"k": "many"}, {"rerank": "perhaps"}, {"camera": ["9"]}])
def test_wrong_settings_are_refused(client, bob, form):
    assert search(client, bob, **form).status_code == 422


def test_other_sites_may_not_use_it(client, bob):
    answer = client.post("/api/search", files={"picture": bob}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert search(client, bob).status_code == 200
    own = client.post("/api/search", files={"picture": bob}, headers={"origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200
    rebound = client.get("/api/gallery", headers={"host": "evil.example:8000"})  # a name that points to this machine
    assert rebound.status_code == 400


def test_nothing_comes_from_elsewhere(client):
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for path in ("/", "/static/page.css", "/static/page.js"):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in answer.text and "https://" not in answer.text
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/api/gallery", "/api/search", "/api/compare", "/api/picture"}


def test_fastapi_is_an_extra(model, people, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fastapi", None)
    with pytest.raises(UserError, match=r"pip install 'reidzoo\[serve\]'"):
        create_app(Gallery.build(model, people))
