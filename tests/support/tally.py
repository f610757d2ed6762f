"""Counts of tests, and how the tools of the stages tell theirs: CTest's and pytest's JUnit files."""
import dataclasses
import re
import xml.etree.ElementTree as ET

CMOCKA = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (\w+)", re.M)


@dataclasses.dataclass
class Tally:
    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)   # names
    skipped: list = dataclasses.field(default_factory=list)  # (name, reason)

    def add(self, name, ok, note=""):
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)
            print(f"FAILED {name}{': ' + note if note else ''}", flush=True)

    def skip(self, name, reason):
        self.skipped.append((name, reason))
        print(f"SKIPPED {name}: {reason}", flush=True)


def _cases(path):
    return ET.parse(path).getroot().iter("testcase")


def from_pytest(path):
    tally = Tally()
    for case in _cases(path):
        module = case.get("classname", "").rsplit(".", 1)[-1]
        name = f"http/{module}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed.append(name)
        elif skip is not None:
            tally.skip(name, skip.get("message", ""))
        else:
            tally.passed += 1
    return tally


def _add_program(tally, case):
    """A C program that counts its own tests (cmocka) counts as many; any other counts as one."""
    name, output = case.get("name"), case.findtext("system-out") or ""
    inner = CMOCKA.findall(output)
    for verdict, test in inner:
        if verdict == "OK":
            tally.passed += 1
        elif verdict == "SKIPPED":
            tally.skip(f"{name}::{test}", "by the test itself")
    failed = case.get("status") == "fail" or case.find("failure") is not None
    if failed:
        tally.failed.append(name)
    elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        tally.skip(name, "not run")
    elif not inner:
        tally.passed += 1


def from_ctest(path):
    tally = Tally()
    for case in _cases(path):
        _add_program(tally, case)
    return tally
