"""MQTT 3.1.1 (OASIS, 2014): packets and a small client, over the session's byte stream.

A device is a real MQTT client. The codec is strict and bounded: what the standard calls malformed or
reserved, what is longer than our limits, and what is not the shortest encoding is refused with MqttError.
"""

from protocol.mqtt.client import Client
from protocol.mqtt.packets import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    Acknowledge,
    Bare,
    Connack,
    Connect,
    MqttError,
    Publish,
    Suback,
    Subscribe,
    Unsubscribe,
    connack,
    connect,
    disconnect,
    matches,
    pingreq,
    pingresp,
    publish,
    suback,
    subscribe,
    unsuback,
    unsubscribe,
)
from protocol.mqtt.parser import parse

__all__ = [
    "Acknowledge", "Bare", "CONNACK", "CONNECT", "Client", "Connack", "Connect", "DISCONNECT", "MqttError",
    "PINGREQ", "PINGRESP", "PUBACK", "PUBCOMP", "PUBLISH", "PUBREC", "PUBREL", "Publish", "SUBACK",
    "SUBSCRIBE", "Suback", "Subscribe", "UNSUBACK", "UNSUBSCRIBE", "Unsubscribe", "connack", "connect", "disconnect",
    "matches", "parse", "pingreq", "pingresp", "publish", "suback", "subscribe", "unsuback", "unsubscribe",
]  # fmt: skip
