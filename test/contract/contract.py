"""Drives the emulator with the vendor's own SDK: what it cannot do there, the emulator gets wrong.

Reads the environment that the emulator prints; run.sh sets it. Ends with `N passed, N failed`.
"""

import logging
import os
import sys
import time
from contextlib import contextmanager

from ucloud.client import Client
from ucloud.core import exc

SOURCE = os.environ["EMULATOR_SOURCE_IMAGE_ID"]
SOURCE_PROJECT = os.environ["UCLOUD_PROJECT_ID"]
TARGET_PROJECT = os.environ["EMULATOR_TARGET_PROJECT_ID"]
REGION = os.environ["UCLOUD_REGION"]
BATCH = ["hk", "sg", "us-ca"]
DESCRIPTION = "Größe & 描述 = 100%+ 😀\n第二行"
PATIENCE = 30  # seconds

client = Client(
    {
        "region": REGION,
        "project_id": SOURCE_PROJECT,
        "base_url": os.environ["UCLOUD_API_BASE_URL"],
        "public_key": os.environ["UCLOUD_PUBLIC_KEY"],
        "private_key": os.environ["UCLOUD_PRIVATE_KEY"],
    }
)
uaccount = client.uaccount()
uhost = client.uhost()
# Refusals are wanted here; the SDK would log each with its stack.
logging.disable(logging.CRITICAL)

passed = 0
failed = 0


@contextmanager
def step(name):
    global passed, failed
    try:
        yield
    except Exception as error:  # Each step reports by itself; the later ones still say what they can.
        failed += 1
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
    else:
        passed += 1
        print(f"ok   {name}", flush=True)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def refused(code, call, request):
    try:
        call(request)
    except exc.RetCodeException as error:
        same(error.code, code)
        if not error.request_uuid:
            raise AssertionError("the refusal has no request id")
    else:
        raise AssertionError(f"not refused; wanted {code}")


def images(region, **request):
    answer = uhost.describe_image({"Region": region, "ProjectId": TARGET_PROJECT, **request})
    return answer["ImageSet"]


def until_available(region, image_id):
    deadline = time.monotonic() + PATIENCE
    state = None
    while time.monotonic() < deadline:
        found = images(region, ImageIds=[image_id])
        state = found[0]["State"] if found else "not listed"
        if state == "Available":
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"still {state} after {PATIENCE} s")


copies = {}  # region: image id

with step("GetProjectList names the source's and the target's project"):
    projects = uaccount.get_project_list()["ProjectSet"]
    same({SOURCE_PROJECT, TARGET_PROJECT} - {project["ProjectId"] for project in projects}, set())
    same([project["ProjectId"] for project in projects if project["IsDefault"]], [SOURCE_PROJECT])

with step("GetRegion names every region of this test"):
    regions = {row["Region"] for row in uaccount.get_region()["Regions"]}
    same({REGION, *BATCH} - regions, set())

with step("DescribeImage finds the source, Available"):
    answer = uhost.describe_image({"ImageId": SOURCE})
    same(answer["TotalCount"], 1)
    source = answer["ImageSet"][0]
    same((source["State"], source["ImageType"]), ("Available", "Custom"))

with step("DescribeImage pages"):
    pages = [uhost.describe_image({"Limit": 1, "Offset": offset}) for offset in range(2)]
    ids = {page["ImageSet"][0]["ImageId"] for page in pages}
    same(len(ids), 2)

with step("CopyCustomImage, one target: TargetImageId and TaskId, no Infos"):
    answer = uhost.copy_custom_image(
        {
            "SourceImageId": SOURCE,
            "TargetProjectId": TARGET_PROJECT,
            "TargetImageName": "contract-single",
            "TargetImageDescription": DESCRIPTION,
            "TargetImageTag": "contract",
        }
    )
    copies[REGION] = answer["TargetImageId"]
    same((bool(answer["TaskId"]), answer["Infos"]), (True, []))

with step("CopyCustomImage, a batch: one entry a region, no TargetImageId"):
    answer = uhost.copy_custom_image(
        {
            "SourceImageId": SOURCE,
            "TargetProjectId": TARGET_PROJECT,
            "TargetRegionList": BATCH,
            "TargetImageName": "contract-batch",
            "TargetImageDescription": DESCRIPTION,
        }
    )
    same("TargetImageId" in answer, False)
    same([info["TargetRegion"] for info in answer["Infos"]], BATCH)
    same(all(info["TaskId"] for info in answer["Infos"]), True)
    copies.update({info["TargetRegion"]: info["TargetImageId"] for info in answer["Infos"]})

with step("Every image id is another"):
    same(len({SOURCE, *copies.values()}), 2 + len(BATCH))

with step("Each copy is Copying at first"):
    same({images(region, ImageId=copies[region])[0]["State"] for region in BATCH}, {"Copying"})

for region in [REGION, *BATCH]:
    with step(f"DescribeImage until the copy in {region} is Available; its description is unchanged"):
        image = until_available(region, copies[region])
        same(image["ImageDescription"], DESCRIPTION)
        for field in ["OsType", "OsName", "ImageSize", "Features"]:
            same(image[field], source[field])

for region in [REGION, *BATCH]:
    with step(f"TerminateCustomImage in {region}; it is gone"):
        request = {"Region": region, "ProjectId": TARGET_PROJECT, "ImageId": copies[region]}
        same(uhost.terminate_custom_image(request)["ImageId"], copies[region])
        same(images(region, ImageId=copies[region]), [])

with step("An absent image is 8956, to copy and to delete"):
    absent = {"SourceImageId": "uimage-absent", "TargetProjectId": TARGET_PROJECT}
    refused(8956, uhost.copy_custom_image, absent)
    refused(8956, uhost.terminate_custom_image, {"ImageId": "uimage-absent"})

with step("The source's own project and region is 8962"):
    refused(8962, uhost.copy_custom_image, {"SourceImageId": SOURCE, "TargetProjectId": SOURCE_PROJECT})

with step("Another private key is 171"):
    client.credential.private_key = "f" * 40
    uhost.credential.private_key = "f" * 40
    refused(171, uhost.describe_image, {})

print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
