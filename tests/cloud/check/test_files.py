"""What a file is, and what is said of files that are none of it."""

from __future__ import annotations

import pytest

from tracked_inference.cloud.check import read_resources
from tracked_inference.cloud.check.resources import UnreadableFileError


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"hello": 1}', "is no Terraform plan"),
        ("a.yaml", b"- 1\n- 2\n", "is no Terraform plan"),
        ("a.yaml", b"", "is empty"),
        ("a.yaml", b"# nothing\n", "is no Terraform plan"),
        ("a.json", b'{"@level": "info"}\n{"@level": "info"}\n', "terraform show -json"),
        ("a.yaml", b"{{- if .Values.on }}\napiVersion: v1\n{{- end }}\n", "render it first"),
        ("a.json", b'{"format_version": ', ":1: not valid JSON"),
        ("a.yaml", b"apiVersion: v1\nkind: {{ .Values.kind }}\n", "render it first"),
        ("a.yaml", b"apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {team: '{{ .Values.team }}'}\n", "render it first"),
        ("a.yaml", b"a: [1,\nb: }\n", ":2: not valid YAML"),
        ("plan", b"PK\x03\x04rest", "binary plan"),
        ("main.tf", b'resource "x" "y" {}\n', "only the plan"),
        ("a.yaml", b"\xff\x00\x80", "is not utf-8 text"),
        ("a.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nwhen: 2026-13-45\n", "not valid YAML"),
        ("a.json", b'{"Resources": {"\\ud83d": {"Type": "AWS::S3::Bucket"}}}', "no Unicode text"),
        ("a.json", b'{"format_version": "1.2", "resource_changes": [{"change": {"actions": ["create"]}}]}', "not shaped"),
    ],
)  # fmt: skip
def test_bad_files_are_named_with_their_fault(tmp_path, name, content, said):
    """A file that cannot be checked raises, saying which, where and what to do."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(UnreadableFileError) as raised:
        read_resources(path)

    assert said in str(raised.value)
    assert name in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    """A missing file is bad input, not a traceback."""
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_resources(tmp_path / "none.json")


def test_a_manifest_in_flow_style_is_no_broken_json(tmp_path):
    """YAML may begin with a brace, too."""
    path = tmp_path / "pod.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: x}}\n")

    assert [resource.address for resource in read_resources(path)] == ["Pod/x"]
