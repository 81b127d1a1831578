"""Invented people whose names need the character sets that real archives meet (PS3.5 §6.1, Annexes H, I, J, K)."""

from __future__ import annotations

from dicomgate.samples.modules import Patient, Study


def _study(patient: Patient, key: str, date: str, time: str, description: str) -> Study:
    return Study(
        patient=patient, key=key, date=date, time=time, description=description, accession=f"A{date}{time[:2]}"
    )


ZOE = Patient(name="Brontë-Ångström^Zoé", number="DEMO-1", charset="ISO_IR 100", born="19610412", sex="F", age="063Y")
HANAKO = Patient(
    name="Sakura^Hanako=佐倉^花子=さくら^はなこ",
    number="DEMO-2",
    charset=["", "ISO 2022 IR 87"],
    born="19750919",
    sex="F",
    age="049Y",
)
HANEUL = Patient(
    name="Kim^Haneul=金^하늘=김^하늘",
    number="DEMO-3",
    charset=["", "ISO 2022 IR 149"],
    born="19881103",
    sex="M",
    age="036Y",
)
ELENI = Patient(name="Παπαδάκη^Ελένη", number="DEMO-4", charset="ISO_IR 126", born="19930228", sex="F", age="031Y")
VERA = Patient(name="Соколова^Вера", number="DEMO-5", charset="ISO_IR 144", born="19570606", sex="F", age="067Y")
XIAOMEI = Patient(name="Wang^Xiaomei=王^小梅", number="DEMO-6", charset="GB18030", born="20010817", sex="F", age="023Y")
LAYLA = Patient(
    name="Al-Hakim^Layla=الحكيم^ليلى", number="DEMO-7", charset="ISO_IR 192", born="19831225", sex="F", age="041Y"
)

CT_TORSO = _study(ZOE, "ct torso", "20250114", "091500", "CT chest and upper abdomen")
MR_HEAD = _study(HANAKO, "mr head", "20250120", "103000", "MR head")
US_HEART = _study(HANEUL, "us heart", "20250203", "141000", "Echocardiography")
CR_HAND = _study(ELENI, "cr hand", "20250210", "080500", "Left hand")
MAP_HEAD = _study(VERA, "map head", "20250217", "162000", "Perfusion of the brain")
DX_CHEST = _study(XIAOMEI, "dx chest", "20250301", "120000", "Chest")
US_STILL = _study(LAYLA, "us still", "20250305", "111500", "Ultrasound of the heart, still")
