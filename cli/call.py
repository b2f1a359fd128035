"""`mediajobs call`: any endpoint of the API, as it is."""

import json
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any

import click

from cli.call_fields import given, options_of
from cli.main import FAILED, UNREACHABLE, WRONG_USE
from cli.options import data_dir_option, dollars
from provider.address import is_direct, offered
from provider.endpoints import ENDPOINTS, Endpoint, endpoint_at, fields_of
from provider.errors import Action, NotSent, ProviderError
from provider.wire import Answer, Json
from worker import call as calls
from worker.settings import settings
from worker.tariff import Price, TokenPrice

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Endpoints(click.Group):
    """A command for each endpoint; a path is one too."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name.replace("_", "-") for name in ENDPOINTS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name.startswith("/"):
            return path_command(cmd_name)
        name = cmd_name.replace("-", "_")
        return endpoint_command(name, ENDPOINTS[name]) if name in ENDPOINTS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean {near[0]}?" if near else "`mediajobs call --help` lists them; a path begins with /"
            raise click.UsageError(f"there is no endpoint {args[0]!r}; {hint}", ctx) from None


@click.group(cls=Endpoints, subcommand_metavar="ENDPOINT [OPTIONS]...")
def call() -> None:
    """Call any endpoint of the API once, as it is, and print its answer.

    Fields are options, or --json. Nothing is recorded, no budget counts it,
    and a lost answer is not asked for again. ENDPOINT may be a path that is
    not listed, such as /resource/{id}, also of another --provider.
    """


JSON = click.option("--json", "body", help="The body: JSON, @FILE, or - for standard input. Options add to it.")
FILE = click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="To upload.")
RAW = click.option("--raw", is_flag=True, help="The answer as it came, in its wrapper.")
PROVIDER = click.option("--provider", metavar="NAME", help="Another provider behind the proxy.  [default: zai]")
COMMON = (JSON, RAW, PROVIDER)


def endpoint_command(name: str, endpoint: Endpoint) -> click.Command:
    def run(body: str | None, **options: Any) -> None:
        own = {each: options.pop(each, None) for each in ("raw", "provider", "file")}
        fields = {**read_body(body), **given(endpoint, options)}
        warn(endpoint, fields, own["file"])
        make(name, endpoint, fields, query={}, known=True, **own)

    for option in (*COMMON, *([FILE] if endpoint.upload else [])):
        run = option(run)
    run = data_dir_option(run)
    made = click.command(name.replace("_", "-"), short_help=endpoint.title, help=about(endpoint))(run)
    made.params = [*options_of(endpoint), *made.params]
    return made


def about(endpoint: Endpoint) -> str:
    cost = "A call costs money." if endpoint.paid else "A call costs nothing."
    answer = ", ".join(fields_of(endpoint.answer))
    believed = f"\n\nBelieved: {endpoint.believed}." if endpoint.believed else ""
    return f"{endpoint.title}. {cost}\n\nAnswers with: {answer}.\n\nSource: {endpoint.source}.{believed}"


def path_command(path: str) -> click.Command:
    """PATH is in the new URL format, its parameters in braces."""

    @click.option("--method", type=click.Choice(METHODS), help="[default: GET, or POST with a body]")
    @click.option("--path", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the path.")
    @click.option("--query", multiple=True, metavar="NAME=VALUE", help="A parameter of the query.")
    def run(
        body: str | None, file: Path | None, method: str | None, parameters: tuple[str, ...], query: tuple[str, ...],
        **own: Any,
    ) -> None:  # fmt: skip
        endpoint = endpoint_at(path, method or ("POST" if body or file else "GET"))
        placed = pairs("--path", parameters)
        if missing := [each for each in endpoint.path_names if each not in placed]:
            raise click.UsageError(f"{path} has a parameter {missing[0]}; give it as --path {missing[0]}=VALUE")
        make(
            path, endpoint, {**read_body(body), **placed}, query=pairs("--query", query), known=False, file=file, **own
        )

    for option in (*COMMON, FILE):
        run = option(run)
    return click.command(path, help=f"Call {path}, which is in no table here.")(data_dir_option(run))


def pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    if not all("=" in each for each in given):
        raise click.UsageError(f"{option} takes NAME=VALUE")
    return dict(each.partition("=")[::2] for each in given)


def read_body(given: str | None) -> Json:
    """--json: text, @FILE or -."""
    if given is None:
        return {}
    try:
        text = sys.stdin.read() if given == "-" else Path(given[1:]).read_text() if given.startswith("@") else given
        found = json.loads(text)
    except OSError as error:
        raise click.UsageError(f"--json {given}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(f"--json is no JSON: {error}; @FILE reads a file, - standard input") from None
    if not isinstance(found, dict):
        raise click.UsageError('--json is no JSON object; write it as {"name": value}')
    return found


def warn(endpoint: Endpoint, fields: Json, file: Path | None) -> None:
    """Of fields that are in no document: they are sent as they are; and of those that the API requires."""
    if missing := [name for name in endpoint.path_names if name not in fields]:
        raise click.UsageError(f"--{missing[0]} is missing: it is a part of the path")
    for doubt in calls.doubts(endpoint, fields, file=file is not None):
        click.echo(f"warning: {doubt}", err=True)


def make(
    name: str,
    endpoint: Endpoint,
    fields: Json,
    *,
    query: Json,
    known: bool,
    raw: bool,
    provider: str | None,
    file: Path | None,
) -> None:
    """Make the call and print what came of it."""
    config = settings()
    try:
        base_url = calls.base_url_of(config, provider)
    except ValueError as error:
        raise click.UsageError(f"--provider {provider}: {error}") from None
    try:
        offered(name, endpoint, direct=is_direct(base_url, config.api_style))
    except ProviderError as error:
        sys.exit(say(name, error, paid=endpoint.paid))
    if not endpoint.described:
        config.require_api_token()
    request = calls.make_request(name, endpoint, fields, file=file, query=query, known=known)
    price = calls.price_of_call(endpoint, fields) if known and endpoint.paid else None
    if known and endpoint.paid:
        click.echo(f"a paid call: {in_words(price, minutes=endpoint.upload)}; no budget counts it", err=True)
    shown = Shown(sys.stdout)
    try:
        answer = calls.call(request, base_url, config, on_text=shown if not raw else None)
    except ProviderError as error:
        shown.end()
        sys.exit(say(name, error, paid=endpoint.paid))
    shown.end()
    tell(answer, price, raw=raw, shown=bool(shown))


class Shown:
    """A streamed answer's text, printed as it comes."""

    def __init__(self, to: IO[str]) -> None:
        self._to = to
        self._any = False

    def __call__(self, text: str) -> None:
        self._any = True
        self._to.write(text)
        self._to.flush()

    def __bool__(self) -> bool:
        return self._any

    def end(self) -> None:
        if self._any:
            self._to.write("\n")
            self._to.flush()


def in_words(price: Price | None, *, minutes: bool) -> str:
    match price:
        case None:
            return "its price is not known here"
        case TokenPrice():
            return f"{dollars(price.input)} a million tokens in, {dollars(price.output)} out"
        case _:
            return f"{dollars(price)} a minute of audio" if minutes else dollars(price)


def tell(answer: Answer, price: Price | None, *, raw: bool, shown: bool) -> None:
    """The answer, unless its text was printed as it came; then what it cost, where it says."""
    if raw:
        click.echo(answer.raw)
    elif not shown:
        click.echo(json.dumps(answer.body, indent=2, ensure_ascii=False))
    if counted := calls.cost_of_answer(price, answer.body):
        tokens, cost = counted
        click.echo(f"{tokens.input} tokens in, {tokens.output} out: {dollars(cost)}", err=True)


def say(name: str, error: ProviderError, *, paid: bool) -> int:
    """What went wrong, in words; returns the exit code."""
    click.echo(f"mediajobs: {error}" if str(error).startswith(name) else f"mediajobs: {name}: {error}", err=True)
    if advice := calls.advice_of(name, error, paid=paid):
        click.echo(f"  -> {advice}", err=True)
    if error.code == "not_offered":
        click.echo("  -> MEDIAJOBS_API_BASE_URL decides: https://api.z.ai/api is Z.AI itself", err=True)
    if error.excerpt and not (error.code or "").isdigit():
        click.echo(f"  the answer began: {error.excerpt[:300]}", err=True)
    if isinstance(error, NotSent):
        return WRONG_USE if error.ruling.action is Action.FAIL else UNREACHABLE
    return FAILED
