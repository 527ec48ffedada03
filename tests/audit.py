"""
A bill of materials of an environment, and what the advisory database says of it: `make audit`.

    python tests/audit.py PYTHON      the interpreter of the environment to look at

Exit codes: 0 nothing is known against any package; 1 something is; 2 the bill could not be written; 3 the database could not be
asked, and the bill of materials is there all the same.
"""

import json
import subprocess
import sys
from pathlib import Path

SBOM = Path("build/sbom.json")
OURS = frozenset({"tracked-inference"})
TOOLS = Path(sys.executable).parent


def bill_of(python):
    """Write the bill of materials; how many components it has."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [
        TOOLS / "cyclonedx-py",
        "environment",
        python,
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
    ]
    done = subprocess.run([*command, "--of", "JSON", "-o", SBOM], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None
    return json.loads(SBOM.read_text())["components"]


def known_against(components):
    """What the database knows against these components, as lines; None where it cannot be asked."""
    pinned = SBOM.with_name("audited.txt")
    pinned.write_text(
        "".join(f"{one['name']}=={one['version']}\n" for one in components if one["name"] not in OURS)
    )
    command = [
        TOOLS / "pip-audit",
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run([*command, "-r", pinned], capture_output=True, text=True, check=False)
    try:
        answered = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer", file=sys.stderr)
        return None
    skipped = [one["name"] for one in answered if "skip_reason" in one]
    if skipped:  # it calls that a success
        print(f"no answer for {len(skipped)} of {len(answered)}, {skipped[0]} say", file=sys.stderr)
        return None
    return [
        f"{one['name']} {one['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or 'no release'}"
        for one in answered
        for weakness in one.get("vulns", ())
    ]


def main():
    components = bill_of(sys.argv[1])
    if components is None:
        return 2
    print(f"{SBOM}: {len(components)} components")
    found = known_against(components)
    if found is None:
        print(
            "the advisory database could not be asked: nothing is known for or against them", file=sys.stderr
        )
        return 3
    print("\n".join(found) or "nothing is known against any of them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
