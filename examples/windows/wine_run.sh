#!/bin/sh
# wine_run.sh PROGRAM.EXE [ARGUMENT...]: runs a Windows game server of a fleet under wine.
#
# The first program in a wine prefix would start wineserver and a few services, which all others use
# too. Started from here without the launch token they belong to no single game server: Muster leaves
# them alone while others run, and ends them with its last one.
wine=/usr/lib/wine/wine64
wineserver=/usr/lib/wine/wineserver
if ! [ -e "$WINEPREFIX/system.reg" ]; then
  env -u MUSTER_TOKEN "$wine" wineboot --init
  "$wineserver" -w # It saves what it has made when it ends, which is a few seconds later.
fi
if ! "$wineserver" -k0 2> /dev/null; then
  env -u MUSTER_TOKEN "$wineserver" -p
  env -u MUSTER_TOKEN "$wine" wineboot
fi
exec "$wine" "$@"
