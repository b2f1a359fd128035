"""Makes the pictures of the examples anew: things that people hand to a model of vision."""

from pathlib import Path

from PIL import Image, ImageDraw

PAPER, INK = "#fdfcf7", "#222222"
#: A line; what stands after a bar is set to the right.
RECEIPT = """\
CORNER HARDWARE, 12 Mill Lane

2026-03-14|11:42
wood glue|4.90
2 x hinge 60 mm|7.00
sandpaper P120|3.25

TOTAL EUR|15.15
paid by card"""
VISITORS = {"Mar": 310, "Apr": 420, "May": 655, "Jun": 890, "Jul": 1240, "Aug": 1175}
LABEL = "Rosehip jam\n\nrosehips 60 %, sugar, lemon juice\n\n250 g|best before 11/2027\nkeep cool once opened"


def sheet(width: int, height: int) -> "tuple[Image.Image, ImageDraw.ImageDraw]":
    picture = Image.new("RGB", (width, height), PAPER)
    return picture, ImageDraw.Draw(picture)


def words(text: str, width: int, height: int) -> Image.Image:
    picture, pen = sheet(width, height)
    pen.rectangle((8, 8, width - 9, height - 9), outline=INK, width=2)
    for number, line in enumerate(text.splitlines()):
        left, _, right = line.partition("|")
        pen.text((28, 28 + 32 * number), left, fill=INK, font_size=22)
        pen.text((width - 28, 28 + 32 * number), right, fill=INK, font_size=22, anchor="ra")
    return picture


def chart() -> Image.Image:
    picture, pen = sheet(640, 420)
    pen.text((24, 16), "Visitors of the harbour museum, 2025", fill=INK, font_size=24)
    for number, (month, count) in enumerate(VISITORS.items()):
        left, top = 40 + 96 * number, 370 - count // 5
        pen.rectangle((left, top, left + 60, 370), fill="#2f6f8f")
        pen.text((left + 6, top - 24), str(count), fill=INK, font_size=18)
        pen.text((left + 10, 380), month, fill=INK, font_size=20)
    return picture


def harbour() -> Image.Image:
    picture, pen = sheet(640, 420)
    pen.rectangle((0, 0, 640, 250), fill="#bcd7e6")
    pen.rectangle((0, 250, 640, 420), fill="#2b5d7d")
    pen.ellipse((470, 40, 550, 120), fill="#f6d365")
    pen.polygon([(60, 250), (90, 90), (130, 90), (160, 250)], fill="#f2efe6", outline=INK)
    pen.rectangle((86, 60, 134, 92), fill="#b5382a")
    pen.polygon([(280, 290), (480, 290), (440, 345), (320, 345)], fill="#8a4b2f")
    pen.line((380, 290, 380, 130), fill=INK, width=5)
    pen.polygon([(388, 140), (388, 275), (470, 275)], fill="#f9f6ee")
    return picture


def puppet() -> Image.Image:
    picture, pen = sheet(512, 512)
    pen.rectangle((0, 420, 512, 512), fill="#c9a36b")
    for x, y in ((150, 250), (362, 250), (215, 420), (297, 420)):
        pen.line((256, 250, x, y), fill="#8a4b2f", width=22)
    pen.polygon([(256, 170), (330, 350), (182, 350)], fill="#b5382a")
    pen.ellipse((206, 80, 306, 190), fill="#f1d3b3", outline=INK, width=2)
    for x in (236, 276):
        pen.ellipse((x - 6, 122, x + 6, 136), fill=INK)
    pen.arc((232, 135, 280, 168), 20, 160, fill=INK, width=4)
    return picture


if __name__ == "__main__":
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    made = {
        "receipt": words(RECEIPT, 400, 340), "label": words(LABEL, 480, 260), "chart": chart(), "harbour": harbour(),
        "puppet": puppet(),
    }  # fmt: skip
    for name, picture in made.items():
        picture.quantize(32).save(folder / f"{name}.png", optimize=True)
