#!/bin/sh
# One real ZooKeeper in the foreground: what the image built by tests/run starts, and what runs
# directly where there is no Docker. It reads the variables that the official image reads
# (ZOO_TICK_TIME, ZOO_CFG_EXTRA, ZOO_4LW_COMMANDS_WHITELIST, ZOO_MAX_CLIENT_CNXNS, JVMFLAGS), so that the
# tests start either one with the same words, and three more for the plain process: ZOO_DATA_DIR,
# ZOO_CLIENT_PORT (host:port or port) and ZOO_CLASSPATH.
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
  echo "maxClientCnxns=${ZOO_MAX_CLIENT_CNXNS:-60}"
  echo "admin.enableServer=false"
  echo "4lw.commands.whitelist=${ZOO_4LW_COMMANDS_WHITELIST:-srvr}"
  for line in ${ZOO_CFG_EXTRA:-}; do
    echo "$line"
  done
} > "$data/zoo.cfg"

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
  -cp "$ZOO_CLASSPATH" org.apache.zookeeper.server.quorum.QuorumPeerMain "$data/zoo.cfg"
