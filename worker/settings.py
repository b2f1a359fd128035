"""Settings, from the environment, a `.env`, or a running `mediajobs up` that is found by its data dir."""

import json
import os
import pkgutil
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, SecretStr, Tag, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from provider.rulings import PROBE_S
from worker.addresses import networks
from worker.ages import parse_age
from worker.tariff import Dollars, TokenPrice

SERVICES_FILE = "services.json"
#: Characters of a key that people choose themselves.
MIN_KEY = 20
#: Where only this machine's own processes come from.
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def paid_by(price: Any) -> str:
    return "tokens" if isinstance(price, dict | TokenPrice) else "a call"


OwnPrice = Annotated[Annotated[Dollars, Tag("a call")] | Annotated[TokenPrice, Tag("tokens")], Discriminator(paid_by)]


class NoServicesError(Exception):
    """Nothing says where the database is."""

    def __init__(self, data_dir: Path) -> None:
        if runs(data_dir):
            super().__init__(
                f"no database: the `mediajobs up` of data dir {data_dir} has its own by MEDIAJOBS_DATABASE_URL; "
                "set that here too: its password is written nowhere"
            )
            return
        super().__init__(
            f"no database: MEDIAJOBS_DATABASE_URL is not set, and no `mediajobs up` runs with data dir {data_dir}; "
            "start `mediajobs up`, or name its folder with --data-dir"
        )


class NoTokenError(Exception):
    """A call is to be made from here, and there is no token for it."""

    def __init__(self) -> None:
        super().__init__(f"no API token: {NO_KEY}")


#: What to do about it.
NO_KEY = (
    "MEDIAJOBS_API_TOKEN is not set here, nor in a .env; set it: the one that a running `mediajobs up` was given "
    "is written nowhere"
)


class Settings(BaseSettings):
    """Each is read as MEDIAJOBS_<NAME>. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MEDIAJOBS_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Path(".mediajobs")
    database_url: str | None = None
    broker_url: str | None = None
    api_base_url: str = "https://api.lowcodeapi.com/zai"
    api_token: SecretStr = SecretStr("")
    #: `auto` takes Z.AI's own hosts, and base URLs that end in /api, for direct ones.
    api_style: Literal["auto", "proxy", "direct"] = "auto"
    outputs_url: str | None = None

    #: A claim is good for so long without a heartbeat: a dead worker's jobs are taken back after it.
    lease_s: float = Field(default=30.0, gt=0)
    #: A dispatched job whose message nobody heard for so long gets another.
    hint_lease_s: float = Field(default=5.0, gt=0)
    poll_first_s: float = Field(default=5.0, gt=0)
    poll_max_s: float = Field(default=30.0, gt=0)
    #: A task that is still at work after so long gives its slot to others; after a day of it a person decides.
    stalled_s: float = Field(default=3600.0, gt=0)
    tick_s: float = Field(default=1.0, gt=0)
    #: Job ids that one Celery message carries at most.
    message_size: int = Field(default=16, gt=0)
    #: Downloads at once in one process.
    downloads: int = Field(default=32, gt=0)
    max_download_bytes: int = Field(default=4 * 1024**3, gt=0)
    #: Times that a result's URL may have no file, or a wrong one, before it counts as dead: about a minute.
    max_gone: int = Field(default=8, gt=0)
    #: With less room on the disk of the outputs no new call is made.
    min_free_bytes: int = Field(default=1024**3, ge=0)
    #: US dollars a call, or a minute of audio, by model, or {"input", "output", "cached"} a million tokens: where
    #: yours are not the published ones.
    prices: Annotated[dict[str, OwnPrice], NoDecode] = Field(default={})
    #: What to do when an answer was lost after sending: by kind or, before it, by model.
    on_unknown: Annotated[dict[str, Literal["retry", "hold"]], NoDecode] = Field(default={})
    #: A cause without a known end (no balance, a bad token) is looked at again so often.
    probe_s: float = Field(default=PROBE_S, gt=0)
    #: A stopping worker finishes what it has in hand for so long, then gives the rest back.
    grace_s: float = Field(default=100.0, ge=0)
    #: Private addresses that webhooks may lead to all the same: networks, divided by commas.
    webhook_allow: str = ""
    #: A receiver has so long to answer.
    webhook_timeout_s: float = Field(default=15.0, gt=0)
    #: The first wait before a message is sent again; it doubles, up to an hour, for three days.
    webhook_retry_s: float = Field(default=5.0, gt=0)
    #: A worker that hears nothing for so long, although there is work for it, ends.
    silence_s: float = Field(default=20.0, gt=0)

    #: What ended longer ago is removed, each hour; None: nothing is.
    prune_after: timedelta | None = None

    #: `json`: a line is an object, for a collector of logs; and each step of a job is one.
    log_format: Literal["plain", "json"] = "plain"

    #: Where traces of jobs go: OTLP over HTTP, with its path, as http://collector:4318/v1/traces.
    traces_url: str | None = None

    #: Where the web application listens.
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=0, le=65535)
    #: Its address as people know it, where that is another one: https://jobs.example.com.
    web_url: str | None = None
    #: Flower's address as people know it, for the dashboard's link to it.
    flower_url: str | None = None
    #: A key to it with the role admin, for where nobody can run `mediajobs keys add`.
    web_key: SecretStr = SecretStr("")
    #: The largest manifest or file that it takes in.
    web_max_upload_bytes: int = Field(default=2 * 1024**3, gt=0)

    @field_validator("web_url", "flower_url")
    @classmethod
    def _http(cls, given: str | None) -> str | None:
        if given and not (urlsplit(given).scheme in {"http", "https"} and urlsplit(given).hostname):
            raise ValueError("is no http(s) URL; write it as https://jobs.example.com")
        return given

    @field_validator("traces_url")
    @classmethod
    def _collector(cls, given: str | None) -> str | None:
        split = urlsplit(given or "")
        if given and not (split.scheme in {"http", "https"} and split.hostname and split.path.strip("/")):
            raise ValueError("is no address that takes traces; write it as http://collector:4318/v1/traces")
        return given or None

    @field_validator("web_key")
    @classmethod
    def _long(cls, given: SecretStr) -> SecretStr:
        if 0 < len(given.get_secret_value()) < MIN_KEY:
            raise ValueError(f"is too short; use {MIN_KEY} random characters or more")
        return given

    @field_validator("prune_after", mode="before")
    @classmethod
    def _age(cls, given: Any) -> Any:
        return (parse_age(given) if given.strip() else None) if isinstance(given, str) else given

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, given: str | None) -> str | None:
        if given:
            try:
                driver = make_url(given).drivername
            except (ArgumentError, ValueError):  # a port that is no number, among others
                driver = ""
            if driver not in {"postgresql", "postgres", "postgresql+psycopg"}:
                raise ValueError("is no Postgres URL; write it as postgresql://user:password@host:5432/name")
        return given

    @field_validator("broker_url")
    @classmethod
    def _redis(cls, given: str | None) -> str | None:
        if given and urlsplit(given).scheme not in {"redis", "rediss", "redis+socket", "sentinel"}:
            raise ValueError("is no Redis or Valkey URL; write it as redis://:password@host:6379/0")
        return given

    @field_validator("outputs_url")
    @classmethod
    def _store(cls, given: str | None) -> str | None:
        if given and not given.startswith("file:///") and not (given.startswith("s3://") and urlsplit(given).netloc):
            raise ValueError("write it as file:///folder or s3://bucket/prefix")
        return given

    @field_validator("webhook_allow")
    @classmethod
    def _networks(cls, given: str) -> str:
        try:
            networks(given)
        except ValueError as error:
            raise ValueError(f"{error}; write it as 10.0.0.0/8, 127.0.0.1") from None
        return given

    @field_validator("prices", "on_unknown", mode="before")
    @classmethod
    def _json(cls, given: Any) -> Any:
        try:
            return json.loads(given) if isinstance(given, str) else given
        except ValueError:
            raise ValueError('is no JSON; write it as {"name": value, ...}') from None

    @field_validator("on_unknown")
    @classmethod
    def _kinds_or_models(cls, given: dict[str, str]) -> dict[str, str]:
        """A model's name has a dash, and providers add models; the kinds are known."""
        kinds = [module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("kinds"))])]
        if wrong := [name for name in given if "-" not in name and name not in kinds]:
            raise ValueError(f"{', '.join(wrong)}: neither a model nor a kind; the kinds are {', '.join(kinds)}")
        return given

    def require_database_url(self) -> str:
        """The database's URL. Raises NoServicesError where neither a setting nor a running `up` gives one."""
        if not self.database_url:
            raise NoServicesError(self.data_dir)
        return self.database_url

    def require_api_token(self) -> str:
        """The token. Raises NoTokenError."""
        if not (token := self.api_token.get_secret_value()):
            raise NoTokenError
        return token

    @property
    def outputs(self) -> str:
        return self.outputs_url or (self.data_dir.resolve() / "outputs").as_uri()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not used here
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, RunningServices(settings_cls)


#: What commands in other shells take from a running `up`; a token or another's password is none of it.
SHARED = ("api_base_url", "api_style", "outputs_url")


def shared(config: Settings) -> dict[str, str]:
    return {name: value for name in SHARED if (value := getattr(config, name)) is not None}


def runs(data_dir: Path) -> bool:
    """Whether an `up` keeps its data there, as far as one can see."""
    return (data_dir / SERVICES_FILE).exists()


def write_services(data_dir: Path, found: dict[str, str], addresses: dict[str, str]) -> None:
    """Let the other commands find what runs here. It holds passwords: for the owner's eyes."""
    fresh = data_dir / f".{SERVICES_FILE}.new"
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump({"settings": found, "addresses": addresses, "pid": os.getpid()}, file, indent=2)
    fresh.replace(data_dir / SERVICES_FILE)


class RunningServices(PydanticBaseSettingsSource):
    """What a running `mediajobs up` wrote into its data dir: where its services are."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class asks for it
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        data_dir = self.current_state.get("data_dir") or os.environ.get("MEDIAJOBS_DATA_DIR", ".mediajobs")
        try:
            found: dict[str, Any] = json.loads((Path(data_dir) / SERVICES_FILE).read_text())["settings"]
        except (OSError, ValueError, KeyError):
            return {}
        return found


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
