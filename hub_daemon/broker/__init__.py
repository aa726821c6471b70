"""The broker: a pipe between bays, exchange and operators. It never stores anything that matters.

Any MQTT 3.1.1 broker can stand behind `Broker`; tests/hub_daemon/kits holds what each must pass.
"""

from hub_daemon.broker.base import Account, Accounts, Broker, BrokerFailed, choose

__all__ = ["Account", "Accounts", "Broker", "BrokerFailed", "choose"]
