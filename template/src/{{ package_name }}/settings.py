"""Configuration, read from the environment."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class Settings(BaseSettings):
    """What can be set from outside: HOST, PORT and LOG_LEVEL.

    Attributes:
        host: Address to listen on. The default is this machine alone.
        port: TCP port to listen on; 0 lets the system choose one.
        log_level: The least severe messages to log, in any case of letters.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_level: Annotated[LogLevel, BeforeValidator(str.lower)] = "info"
