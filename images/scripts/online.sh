#!/bin/sh
# Gives an instance at rest (lab/instances/at_rest.py) an address and name servers by DHCP, for as long as
# it runs, and keeps the packages that are installed meanwhile from starting anything.
# networkd comes with systemd; it runs alone here, so it is told not to wait for udev (/sys is
# hidden from it) and not to ask for the machine-id, which an image has none of.
set -eu

if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\n# Of a labstamp builder; gone before the image is made.\nexit 101\n' \
        >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
# Packages that an earlier build downloaded; never over a newer one.
cp -n --reflink=auto /mnt/*.deb /var/cache/apt/archives/ 2>/dev/null || true

netif=/run/systemd/netif
mkdir -p /run/systemd/network $netif/links $netif/leases $netif/lldp
chown -R systemd-network: $netif
cat >/run/systemd/network/10-labstamp-builder.network <<'NETWORK'
[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
SendHostname=no
NETWORK
unshare --mount sh -c 'mount -t tmpfs -o ro none /sys && exec /lib/systemd/systemd-networkd' \
    >/run/labstamp/networkd.log 2>&1 &

tries=100
until [ -n "$(ls $netif/leases)" ]; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
        cat /run/labstamp/networkd.log
        echo 'no address by DHCP within 20 s'
        exit 1
    fi
    sleep 0.2
done

# Names: where the system's own resolver would have put its file, else over the file that is there.
servers=$(sed -n 's/^DNS=//p' $netif/leases/*)
for server in ${servers:-$(sed -n 's/^ROUTER=//p' $netif/leases/*)}; do
    echo "nameserver $server"
done >/run/labstamp/resolv.conf
target=$(readlink -m /etc/resolv.conf)
case $target in
    /run/*)
        mkdir -p "${target%/*}"
        cp /run/labstamp/resolv.conf "$target"
        ;;
    *)
        [ -e /etc/resolv.conf ] || : >/etc/resolv.conf
        mount --bind /run/labstamp/resolv.conf /etc/resolv.conf
        ;;
esac
