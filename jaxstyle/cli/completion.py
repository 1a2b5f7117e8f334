"""`jaxstyle completion`: a script by which a shell completes commands, options and their choices."""

from __future__ import annotations

import argparse
import shlex

from jaxstyle import cli

SHELLS = ("bash", "zsh", "fish")
BASH = """_jaxstyle() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    if [ "$COMP_CWORD" = 1 ]; then words={commands}; fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _jaxstyle jaxstyle"""
ZSH = """(( $+functions[compdef] )) || { autoload -U compinit && compinit; }
autoload -U +X bashcompinit && bashcompinit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    how = 'bash and zsh: eval "$(jaxstyle completion bash)"; fish: jaxstyle completion fish | source'
    parser.add_argument("shell", choices=SHELLS, help=how)


def run(args: argparse.Namespace) -> int:
    """Prints the script; 0."""
    _, commands = cli.parsers(*cli.COMMANDS)
    print(fish(commands) if args.shell == "fish" else bash(commands, args.shell))
    return 0


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """A command's options."""
    return [action for action in parser._actions if action.option_strings]


def choices(parser: argparse.ArgumentParser) -> list[str]:
    """The words that a command takes where they are known: `describe` of `data`."""
    return [str(word) for action in parser._actions if not action.option_strings for word in action.choices or ()]


def bash(commands: dict[str, cli.Parser], shell: str) -> str:
    """The script of bash, which zsh can read, too: options after a command, elsewhere files."""
    cases = []
    for name, parser in commands.items():
        words = [word for action in options(parser) for word in action.option_strings]
        cases.append(f"        {name}) words={shlex.quote(' '.join(choices(parser) + words))} ;;")
    text = BASH.format(cases="\n".join(cases), commands=shlex.quote(" ".join(commands)))
    return (ZSH if shell == "zsh" else "") + text


def fish(commands: dict[str, cli.Parser]) -> str:
    """The script of fish, with the help of each command and option."""
    lines = []
    for name, parser in commands.items():
        lines.append(f"complete -c jaxstyle -n __fish_use_subcommand -a {name} -d {shlex.quote(cli.COMMANDS[name])}")
        start = f"complete -c jaxstyle -n '__fish_seen_subcommand_from {name}'"
        if words := choices(parser):
            lines.append(f"{start} -a {shlex.quote(' '.join(words))}")
        for action in options(parser):
            long = next((word for word in action.option_strings if word.startswith("--")), "")
            if long and action.help:
                text = shlex.quote(action.help.replace("%%", "%").partition(";")[0])
                lines.append(f"{start} -l {long[2:]} -d {text}")
    return "\n".join(lines)
