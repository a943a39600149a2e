"""The provider's page: its two curl lines work with only the address and the key changed."""

import asyncio
import shutil
from pathlib import Path

import pytest
from PIL import Image
from sandbox_client import Client, make_image

pytest_plugins = ["sandbox_fixtures"]

TEXT_TO_IMAGE = r"""curl https://gateway.serevixai.ai/v1/images/generations \
    -H "Accept: image/*" \
    -H "Authorization: Bearer $YOUR_API_KEY" \
    -F model="sd3-large" \
    -F prompt="A cute baby sea otter wearing a beret" """

IMAGE_TO_IMAGE = r"""curl https://gateway.serevixai.ai/v1/images/generations \
    -H "Accept: image/*" \
    -H "Authorization: Bearer $YOUR_API_KEY" \
    -F model="sd3-large" \
    -F prompt="A cute baby sea otter wearing a beret" \
    -F mode="image-to-image" \
    -F image="@input.png" \
    -F strength=0.9 """

ADDRESS = "https://gateway.serevixai.ai/v1/images/generations"

# The lines are curl's own, word for word: with another client they would be something else. What they send is looked at
# field by field in tests/contract, which needs no curl.
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the page's lines are curl's, which is not here")


@pytest.mark.parametrize(
    ("line", "size"), [(TEXT_TO_IMAGE, (64, 64)), (IMAGE_TO_IMAGE, (96, 64))], ids=["text-to-image", "image-to-image"]
)
async def test_the_curl_lines_work(client: Client, tmp_path: Path, line: str, size: tuple[int, int]) -> None:
    (tmp_path / "input.png").write_bytes(make_image())
    process = await asyncio.create_subprocess_shell(
        line.replace(ADDRESS, client.url) + "-o output.png -sS -w '%{http_code} %{content_type}'",
        cwd=tmp_path,
        env={"YOUR_API_KEY": "sandbox", "PATH": str(Path(shutil.which("curl") or "").parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert told.decode() == "200 image/png"
    with Image.open(tmp_path / "output.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", size)
    [entry] = (await client.log())["requests"]
    assert entry["fields"]["prompt"] == "A cute baby sea otter wearing a beret"
