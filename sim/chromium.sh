#!/bin/sh
# Chromium, without the right to put itself before everything else: started by root it takes a better priority than the
# programs that it is to watch, and on two cores one page that is busy then stops them all.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  exec setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice /usr/bin/chromium "$@"
fi
exec /usr/bin/chromium "$@"
