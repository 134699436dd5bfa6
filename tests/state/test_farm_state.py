from chiatea.protobuf.computer_info_pb2 import ADD
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.hardware_pb2 import Ram
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.state.farm_state import FarmState
from chiatea.state.machine_state import event_of


def test_an_event_touches_its_machine_alone() -> None:
    farm = FarmState()
    assert farm.apply(event_of(TOPICS["ram"], Ram(total_bytes=1), ADD, 1.0, "a"))
    assert farm.apply(event_of(TOPICS["ram"], Ram(total_bytes=2), ADD, 1.0, "b"))
    assert farm.machine("a").of("ram")[""].message == Ram(total_bytes=1)
    assert set(farm.machines) == {"a", "b"}


def test_a_machine_is_called_by_its_id_until_its_name_is_known() -> None:
    farm = FarmState()
    assert farm.name_of("a") == "a"
    farm.apply_info(MachineInfo(machine_id="a"))
    assert farm.name_of("a") == "a"
    farm.apply_info(MachineInfo(machine_id="a", name="harvester 1"))
    assert farm.name_of("a") == "harvester 1"


def test_a_machine_that_told_nothing_yet_is_part_of_the_farm() -> None:
    farm = FarmState()
    farm.apply_info(MachineInfo(machine_id="a"))
    assert farm.machines["a"].entries == {}
