#!/bin/sh
# wine_run.sh PROGRAM.EXE [ARGUMENT...]: runs a Windows game server under wine, with a wineserver of its
# own. One that several shared would be ended with the game server that started it, and takes all
# others with it when it crashes, which that of wine 8 sometimes does when a program is ended by a signal.
#
#   WINE_BASE   a whole wine prefix, for all game servers of a fleet; made by the first, 700 MB
#   WINEPREFIX  this game server's: its registry, 3 MB, with the base's drive C
set -e
wine=/usr/lib/wine/wine64
(
  flock 9
  if ! [ -e "$WINE_BASE.made" ]; then
    WINEPREFIX=$WINE_BASE "$wine" wineboot --init
    WINEPREFIX=$WINE_BASE /usr/lib/wine/wineserver -w # It saves what was made when it ends.
    touch "$WINE_BASE.made"
  fi
) 9> "$WINE_BASE.lock"
mkdir -p "$WINEPREFIX"
ln -s "$WINE_BASE/drive_c" "$WINEPREFIX/drive_c"
cp -a "$WINE_BASE"/*.reg "$WINE_BASE/.update-timestamp" "$WINE_BASE/dosdevices" "$WINEPREFIX/"
exec "$wine" "$@"
