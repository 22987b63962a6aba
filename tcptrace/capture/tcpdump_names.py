"""Endpoints as tcpdump prints them: `10.0.0.1.80`, `fe80::1.443`, `web.example.org.http`.

Without `-n` tcpdump prints names. A service's name has one port; a host's name stands for an
address that the text does not give, so each name counts as an address of its own.
"""

import ipaddress
import re
import socket
from typing import NamedTuple

from tcptrace import kernels
from tcptrace.capture.address_book import AddressBook

_PORTS_BY_NAME = """
ftp-data 20 ftp 21 ssh 22 telnet 23 smtp 25 time 37 whois 43 tacacs 49 domain 53 gopher 70 finger 79 http 80 www 80
kerberos 88 pop3 110 sunrpc 111 auth 113 ident 113 nntp 119 ntp 123 epmap 135 loc-srv 135 netbios-ns 137
netbios-dgm 138 netbios-ssn 139 imap 143 imap2 143 snmp 161 snmp-trap 162 bgp 179 irc 194 ldap 389 https 443
microsoft-ds 445 kpasswd 464 submissions 465 urd 465 ssmtp 465 exec 512 login 513 shell 514 printer 515 ncp 524
klogin 543 kshell 544 afpovertcp 548 rtsp 554 nntps 563 submission 587 ipp 631 ldaps 636 ldp 646 msdp 639
kerberos-adm 749 rsync 873 iscsi 860 domain-s 853 ftps-data 989 ftps 990 telnets 992 imaps 993 pop3s 995 socks 1080
kazaa 1214 openvpn 1194 ms-sql-s 1433 ms-sql-m 1434 ncube-lm 1521 ingreslock 1524 pptp 1723 radius 1812 mqtt 1883
cisco-sccp 2000 nfs 2049 zephyr-clt 2103 gnunet 2086 cvspserver 2401 venus 2430 docker 2375 docker-s 2376
etcd-client 2379 etcd-server 2380 mysql 3306 ms-wbt-server 3389 svn 3690 iscsi-target 3260 icpv2 3130 stun 3478
epmd 4369 radmin-port 4899 sip 5060 sip-tls 5061 xmpp-client 5222 xmpp-server 5269 postgresql 5432 postgres 5432
amqp 5672 amqps 5671 vnc-server 5900 rfb 5900 x11 6000 redis 6379 ircd 6667 bacnet 47808 afs3-fileserver 7000
afs3-callback 7001 font-service 7100 http-alt 8080 webcache 8080 http-proxy 8080 pcsync-https 8443 https-alt 8443
mqtts 8883 secure-mqtt 8883 minecraft 25565 jetdirect 9100 hp-pdl-datastr 9100 bacula-dir 9101 bacula-fd 9102
bacula-sd 9103 git 9418 zabbix-agent 10050 zabbix-trapper 10051 amanda 10080 memcache 11211 mongodb 27017
""".split()
SERVICES = dict(zip(_PORTS_BY_NAME[::2], map(int, _PORTS_BY_NAME[1::2]), strict=True))
"""TCP port by service name (IANA, and /etc/services of the common systems)."""

_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$")
_CACHE_ROOM = 100_000


class Endpoint(NamedTuple):
    """An address by its number in the AddressBook, a port, and both in one number."""

    address: int
    port: int
    key: int


class Endpoints:
    """The endpoints of one text; keeps what it had to assume."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._known: dict[str, Endpoint | None] = {}
        self._hosts: dict[str, int | None] = {}
        self.host_names: dict[str, None] = {}
        self.unknown_services: dict[str, None] = {}

    def find(self, text: str) -> Endpoint | None:
        """The endpoint a text of address and port names, None if it names none."""
        if text not in self._known:
            if len(self._known) >= _CACHE_ROOM:
                self._known.clear()
            host, _, port = text.rpartition(".")
            self._known[text] = self.of(host, port)
        return self._known[text]

    def of(self, host: str, port: str) -> Endpoint | None:
        """The endpoint of an address and a port given apart."""
        number = self.port(port)
        if number is None:
            return None
        address = self.address(host)
        return None if address is None else Endpoint(address, number, address << 16 | number)

    def address(self, host: str) -> int | None:
        """The number of an address or a host's name, None if it is neither."""
        if host not in self._hosts:
            if len(self._hosts) >= _CACHE_ROOM:
                self._hosts.clear()
            self._hosts[host] = self._new_address(host)
        return self._hosts[host]

    def _new_address(self, host: str) -> int | None:
        try:
            return self._book.add(ipaddress.ip_address(host.partition("%")[0]), kernels.plain())
        except ValueError:
            if not _HOST.match(host):
                return None
        self.host_names[host] = None
        return self._book.add_name(host, kernels.plain())

    def port(self, text: str) -> int | None:
        """The port of a number or a service's name, None if it is neither."""
        if text.isdecimal():
            return int(text) if len(text) <= 5 and int(text) <= 0xFFFF else None
        if not _SERVICE.match(text):
            return None
        if text in SERVICES:
            return SERVICES[text]
        try:
            return socket.getservbyname(text, "tcp")
        except OSError:
            self.unknown_services[text] = None
            return 0
