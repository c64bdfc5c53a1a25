#!/bin/sh
# One real ZooKeeper in the foreground, as a plain process or as what a container of any image with Java runs.
# It reads the variables that the official image reads (ZOO_TICK_TIME, ZOO_CFG_EXTRA, ZOO_4LW_COMMANDS_WHITELIST,
# ZOO_MAX_CLIENT_CNXNS, JVMFLAGS; for a member of an ensemble also ZOO_MY_ID, ZOO_SERVERS, ZOO_INIT_LIMIT and
# ZOO_SYNC_LIMIT), so that the tests start either one with the same words, and three more: ZOO_DATA_DIR,
# ZOO_CLIENT_PORT (host:port or port) and ZOO_CLASSPATH. Releases from 3.4 to 3.9 understand what it writes.
set -eu

data=${ZOO_DATA_DIR:-/data}
client=${ZOO_CLIENT_PORT:-2181}
mkdir -p "$data"

{
  echo "dataDir=$data"
  case $client in
    *:*) echo "clientPortAddress=${client%:*}" ;;
  esac
  echo "clientPort=${client##*:}"
  echo "tickTime=${ZOO_TICK_TIME:-2000}"
  echo "initLimit=${ZOO_INIT_LIMIT:-5}"
  echo "syncLimit=${ZOO_SYNC_LIMIT:-2}"
  echo "maxClientCnxns=${ZOO_MAX_CLIENT_CNXNS:-60}"
  echo "admin.enableServer=false"
  echo "4lw.commands.whitelist=${ZOO_4LW_COMMANDS_WHITELIST:-srvr}"
  for line in ${ZOO_SERVERS:-} ${ZOO_CFG_EXTRA:-}; do
    echo "$line"
  done
} > "$data/zoo.cfg"
if [ -n "${ZOO_MY_ID:-}" ]; then
  echo "$ZOO_MY_ID" > "$data/myid"
fi

# Warnings on standard error, whichever logger is among the jars.
cat > "$data/log4j.properties" <<PROPERTIES
log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n
PROPERTIES

if [ -z "${ZOO_CLASSPATH:-}" ]; then
  for name in zookeeper zookeeper-jute slf4j-api slf4j-simple metrics-core snappy-java commons-cli commons-io \
    netty-all netty-buffer netty-codec netty-common netty-handler netty-resolver netty-transport; do
    jar=/usr/share/java/$name.jar
    [ ! -e "$jar" ] || ZOO_CLASSPATH=${ZOO_CLASSPATH:+$ZOO_CLASSPATH:}$jar
  done
fi

# shellcheck disable=SC2086 # JVMFLAGS is a list of words
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" ${JVMFLAGS:-} -Dzookeeper.admin.enableServer=false \
  -Dzookeeper.jmx.log4j.disable=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
  -Dlog4j.configuration="file:$data/log4j.properties" -Dlog4j2.level=WARN \
  -cp "$ZOO_CLASSPATH" org.apache.zookeeper.server.quorum.QuorumPeerMain "$data/zoo.cfg"
