"""The cast of the demo month: 48 invented clients, each with the case it plays. Data only; `demo_world` builds it.

34 clients carry the same name on both sides, as in a real month; the other 14 need a safe key, a person, or nobody.
"""

from dataclasses import dataclass
from typing import Literal

type Billing = Literal["same", "none"] | float


@dataclass(frozen=True, slots=True)
class Client:
    """One client. Names are None on the side where it does not exist; `psa` "" means the same name as the vendor's.

    `seats` None is drawn from the seed; `billed` is the PSA quantity ("same": equal to seats, "none": no line).
    """

    story: str
    vendor: str | None
    psa: str | None = ""
    seats: int | None = None
    billed: Billing = "same"
    difference: int = 0
    addon: str = ""
    addon_difference: int = 0


CRLF_NAME = "Orchard Lane Print\r\nX-Injected: yes"
RTL_NAME = "Granite \u202eytiruceS\u202c Locks"
LONG_NAME = ("Wrenfield Logistics " * 500)[:10_000]
FULL_WIDTH_NAME = "Ｆｅｒｎｄａｌｅ Ｐｈｙｓｉｏ"  # full-width letters are the case
HOMOGLYPH_NAME = "\u0410spenmere Marine"

CLIENTS: tuple[Client, ...] = (
    # The same name on both sides: 34.
    Client("in_line", "Alderbrook Dental Group"),
    Client("in_line", "Birch & Rowe LLP"),
    Client("in_line", "Cedarhollow Freight Ltd"),
    Client("in_line", "Dunmore Architects", addon="9731"),
    Client("in_line", "Elmstead Veterinary Care"),
    Client("in_line", "Foxglove Interiors"),
    Client("in_line", "Glenharrow Foods", addon="9731"),
    Client("in_line", "Hollybank Accountants"),
    Client("in_line", "Inglewick Museum Trust"),
    Client("hostile_html", "<img src=x onerror=alert(1)>"),
    Client("hostile_formula", '=HYPERLINK("http://evil.example","Click")'),
    Client("hostile_script", 'Juniper "></script><script>alert(2)</script> & Sons', difference=2),
    Client("bill_more", "Kingsmoor Engineering", difference=4),
    Client("bill_more", "Lavenham & Pryce Solicitors", difference=1),
    Client("bill_more", "Millstream Housing Association", seats=118, billed=112.0, addon="9731", addon_difference=6),
    Client("bill_more", "Netherby Plastics", difference=3),
    Client("bill_less", "Oakhampton Print Works", difference=-3),
    Client("bill_less", "Pennard Travel", difference=-1),
    Client("jump", "Quillhaven Publishing", seats=260, billed=20.0),
    Client("to_zero", "Rushmere Garden Centres", seats=0, billed=12.0),
    Client("new_revenue", "Saltmarsh Optics", billed="none"),
    Client("new_revenue", "Thornbury Sailmakers", billed="none"),
    Client("inactive_agreement", "Underhill Brewing", seats=24, billed=21.0),
    Client("two_live_lines", "Vexford Motors", seats=18, billed=10.0),
    Client("less_included", "Westerfold Clinics", seats=30, billed=30.0),
    Client("do_not_bill", "Yarrow Community Kitchen", seats=22, billed=20.0),
    Client("cancelled_and_future", "Zephyr Lane Studios"),
    Client("small_increase", "Ashcombe Ceramics", seats=2, billed=1.0),
    Client("unmapped_service", "Bellweather Insurance", addon="9745"),
    Client("partner_count_only", "Copperfield Timber"),
    Client("partner_count_only", "Drayford Nurseries", seats=37, billed=35.0),
    Client("account_read_only", "Eastmere Surveying", seats=33, billed=31.0),
    Client("missing", "Farnley Robotics", seats=14, billed=14.0),
    Client("pending", "Gorsefield Studios", seats=0, billed="none"),
    # Safe keys: 3.
    Client("safe_key_suffix", "Harrow Lane Surveyors Limited", "Harrow Lane Surveyors Ltd"),
    Client("safe_key_accents", "Crème Brûlée Catering", "Creme Brulee Catering", difference=2),
    Client("safe_key_case", "KESTREL-MOOR ENGINEERING", "Kestrel Moor Engineering"),
    # A person has to decide: 2 near names and 1 name the PSA holds twice.
    Client("near_name", "Bramblewood Veterinary Clinic", "Bramblewood Vet Clinic"),
    Client("near_name", "Larkfield Group Holdings", "Larkfield Inc."),
    Client("duplicate_name", "Summerlea Accounting"),
    # Hostile spellings, whose twin in the PSA is written plainly (the long one has none): 6.
    Client("hostile_crlf", CRLF_NAME, "Orchard Lane Print"),
    Client("hostile_rtl", RTL_NAME, "Granite Security Locks"),
    Client("hostile_long", LONG_NAME, None),
    Client("full_width", FULL_WIDTH_NAME, "Ferndale Physio"),
    Client("homoglyph", HOMOGLYPH_NAME, "Aspenmere Marine"),
    Client("dotless_i", "Işıklar Lojistik", "ISIKLAR LOJISTIK"),  # dotless i is the case
    # Billed in the PSA, unknown to the vendor: 2.
    Client("not_sold", None, "Ivybridge Kennels", seats=9),
    Client("not_sold", None, "Moorcroft Legal", seats=16),
)

BYSTANDERS: tuple[tuple[str, bool], ...] = (
    # Companies of the PSA that have nothing to do with Mimecast; True: in the recycle bin.
    ("Northgate Bakers Guild", False),
    ("Pebblecourt Hotels", False),
    ("Riverton Joinery", False),
    ("Stonecross Cycles", False),
    ("Tidewell Yoga", False),
    ("Foxglove Interiors", True),
)
"""The last one is the deleted twin of a live client: it must not make that client's name ambiguous."""
