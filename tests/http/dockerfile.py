"""Reads a Dockerfile, says what a linter would, and builds it into bare roots where there is no engine for containers."""
import json
import pathlib
import re
import shlex
import shutil
import subprocess


def instructions(path):
    """[(word, rest)] without comments, lines that go on joined."""
    text = re.sub(r"^\s*#.*\n", "", pathlib.Path(path).read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def stages(path):
    """[[(word, rest)]], each beginning with its FROM."""
    out = []
    for word, rest in instructions(path):
        if word == "FROM":
            out.append([])
        out[-1].append((word, rest))
    return out


def last(stage, word):
    return next((rest for name, rest in reversed(stage) if name == word), None)


def complaints(path):
    """What hadolint's rules of the same numbers say, as far as they matter here."""
    found, all_stages = [], stages(path)
    for stage in all_stages:
        base = stage[0][1].split()[0]
        if ":" not in base or base.endswith(":latest"):
            found.append(f"DL3007: {base} has no version")
        for word, rest in stage:
            found += _about(word, rest)
    final = all_stages[-1]
    if (last(final, "USER") or "root").split(":")[0] in ("root", "0"):
        found.append("DL3002: the last user is root")
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        if not last(final, word):
            found.append(f"there is no {word}")
    if len(all_stages) < 2:
        found.append("the tools of the build stay in the image: there is one stage only")
    installs = [rest for word, rest in final if word == "RUN" and "apt-get" in rest]
    found += [f"DL3009: the package lists stay: {rest}" for rest in installs if "rm -rf /var/lib/apt/lists/*" not in rest]
    return found


def _about(word, rest):
    if word == "RUN" and re.search(r"\bsudo\b", rest):
        yield "DL3004: sudo"
    if word == "RUN" and re.search(r"(^|&& *)cd ", rest):
        yield "DL3003: WORKDIR instead of cd"
    if word == "WORKDIR" and not rest.startswith("/"):
        yield f"DL3000: {rest} is not absolute"
    if word == "ADD":
        yield "DL3020: COPY instead of ADD"
    if word == "RUN" and re.search(r"apt-get.* install", rest):
        if not re.search(r" -y\b", rest):
            yield f"DL3014: no -y: {rest}"
        if "--no-install-recommends" not in rest:
            yield f"DL3015: no --no-install-recommends: {rest}"
        if " update" not in rest:
            yield f"DL3009: install without update: {rest}"
    if word in ("ENTRYPOINT", "CMD") and not rest.startswith("["):
        yield f"DL3025: {word} is not in JSON"


class Build:
    """The stages, each in a root; `base(image)` gives one for a FROM, `context` is what COPY copies (an iterable of paths)."""

    def __init__(self, path, context, files, base):
        self.context, self.files, self.base, self.built = pathlib.Path(context), list(files), base, {}
        for stage in stages(path):
            self._build(stage)

    def _build(self, stage):
        image, _, name = stage[0][1].partition(" AS ")
        self.root, self.folder, self.environment, self.stage = self.base(image), "/", {}, stage
        self.built[name] = self.root
        for word, rest in stage[1:]:
            getattr(self, f"_{word.lower()}", lambda rest: None)(rest)

    def _workdir(self, rest):
        self.folder = rest
        (self.root.path / rest[1:]).mkdir(parents=True, exist_ok=True)

    def _env(self, rest):
        self.environment.update(each.split("=", 1) for each in shlex.split(rest))

    def _run(self, rest):
        self.root.run("sh", "-c", f"cd {self.folder} && {rest}", env=self.environment)

    def _copy(self, rest):
        words = rest.split()
        where = words.pop()
        target = self.root.path / (where if where.startswith("/") else f"{self.folder}/{where}").lstrip("/")
        if words[0].startswith("--from="):
            source = self.built[words.pop(0).split("=")[1]].path
            for pattern in words:
                for path in sorted(source.glob(pattern[1:])):
                    shutil.copy2(path, target)
        elif words == ["."]:
            names = "\0".join(self.files).encode()
            subprocess.run(["cp", "-a", "--parents", "-t", target, "--", *names.decode().split("\0")], cwd=self.context, check=True)
        else:
            shutil.copy2(self.context / words[0], target)

    def command(self, words, volume):
        """Runs them in the last root as the image says: its user, its environment, nothing to write to but the volume."""
        return self.root.command(*words, env=self.environment, who=last(self.stage, "USER"), volume=volume)

    def health(self):
        return json.loads(last(self.stage, "HEALTHCHECK").partition("CMD ")[2])

    def entry(self):
        return [*json.loads(last(self.stage, "ENTRYPOINT")), *json.loads(last(self.stage, "CMD"))]
