"""
What an SDK says of itself, read from its source without importing it.

- `endpoints`: each POST of its resources, and what the adapter in `tracked_inference.vendors` takes it for.
- `usage_fields`: each field of its usage types, and the top-level fields of what billable endpoints answer.
- `stream_events`: the `type` of each event.
- `blocks`: the `type` of everything else in an answer, content blocks and output items first; a new one may be a tool with a fee.
"""

import ast
import importlib.metadata
import importlib.util
import re
from functools import cached_property
from pathlib import Path

from tracked_inference.vendors import anthropic, openai
from tracked_inference.vendors._operations import CALL

ADAPTERS = {"anthropic": anthropic, "openai": openai}
KINDS = ("endpoints", "usage_fields", "stream_events", "blocks")

_USAGE = re.compile(r"Usage|Tokens?Details|CacheCreation|CacheWrite")
_NOT_RESPONSES = re.compile(
    # Administration, WebSockets and webhooks: what they say is not the answer to a request that is tracked.
    r"(?:^|/)(?:admin|organization|realtime|live|webhooks|sessions|agents|evals|graders|fine_tuning|compliance|user_profiles)"
    r"(?:/|$)|_webhook_\w+\.py$|_params?\.py$"
)


class Sdk:
    """
    An SDK as a folder of source.

    Args:
        name: `anthropic` or `openai`.
        root: The package's folder; default where it is installed.

    Raises:
        ModuleNotFoundError: It is not installed.
    """

    def __init__(self, name, root=None):
        self.name = name
        self.adapter = ADAPTERS[name]
        if root is None:
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise ModuleNotFoundError(f"the {name} SDK is not installed")
            root = Path(spec.origin).parent
            self.version = importlib.metadata.version(name)
        self.root = Path(root)

    def read(self):
        """What there is: by kind, word by word, with what the adapter takes it for or where it stands."""
        return {kind: dict(sorted(getattr(self, kind).items())) for kind in KINDS}

    def taken_for(self, path):
        """What the adapter takes a POST for: `call messages`, `free`, or `unknown` where it goes by what the answer says."""
        operation = self.adapter.operation_of("post", f"https://vendor/v1{path.removeprefix('/v1')}")
        if operation is None:
            return "free"
        return "unknown" if operation.kind == "maybe" else f"{operation.kind} {operation.name}"

    @cached_property
    def _posts(self):
        """Each POST's path, with the name of what it answers."""
        found = {}
        for file in sorted((self.root / "resources").rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_post" and node.args:
                    path = _path(node.args[0])
                    casts = [ast.unparse(word.value) for word in node.keywords if word.arg == "cast_to"]
                    if path is not None:
                        found.setdefault(path, set()).update(re.findall(r"\w+", " ".join(casts)))
        return found

    @property
    def endpoints(self):
        return {path: self.taken_for(path) for path in self._posts}

    @cached_property
    def _classes(self):
        """Each class of the SDK's types that a response may be made of: name, fields with their annotations, file."""
        found = []
        for file in sorted((self.root / "types").rglob("*.py")):
            place = file.relative_to(self.root / "types").as_posix()
            if _NOT_RESPONSES.search(place):
                continue
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    fields = {
                        one.target.id: one.annotation
                        for one in node.body
                        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                    }
                    found.append((node.name, fields, place))
        return found

    @property
    def usage_fields(self):
        answers = {
            name
            for path, names in self._posts.items()
            if self.taken_for(path).startswith(CALL)
            for name in names
        }
        return {
            f"{name}.{field}": place
            for name, fields, place in self._classes
            if _USAGE.search(name) or name in answers
            for field in fields
        }

    def _types(self, wanted):
        return {
            value: place
            for name, fields, place in self._classes
            if wanted(name) and "type" in fields
            for value in _literals(fields["type"])
        }

    @property
    def stream_events(self):
        return self._types(lambda name: name.endswith("Event"))

    @property
    def blocks(self):
        return self._types(lambda name: not name.endswith("Event"))


def _path(node):
    """The path of a request, with `{}` for each id."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", "{}", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if (
        isinstance(node, ast.Call) and node.args
    ):  # path_template("/v1/agents/{agent_id}", agent_id=...), maybe_transform(...)
        return _path(node.args[0])
    return None  # a helper that is given its path


def _literals(annotation):
    """The strings of a `Literal[...]`, wherever it stands in the annotation."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal":
            yield from (
                one.value
                for one in ast.walk(node.slice)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
