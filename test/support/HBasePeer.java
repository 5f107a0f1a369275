import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncAdmin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.AsyncTable;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;

/**
 * HBase's own client, as the peer of ours; run from its source (hbase-java-peer.ts).
 *
 *   cells ZOOKEEPER TABLE [FROM TO QUALIFIER …]
 *       every cell as the client sees it, a line each: row, qualifier, timestamp and value, with tabs between; or those
 *       of some columns of family cf with FROM ≤ timestamp < TO
 *   describe ZOOKEEPER TABLE …
 *       how the families of tables are kept, a line each: table, number of regions, family, encoding, bloom filter,
 *       versions, compression, and its own settings as name=value, with tabs between
 *   read ZOOKEEPER TABLE MODE USERS SECONDS
 *       reads random rows of users `user_0` … and prints {"rows":…,"allRows":…,"seconds":…,"cpuMicros":…}
 *       (allRows has those of the warm-up too); MODE single:64 is so many gets under way, batch:512 so many rows in batches of 128
 */
public final class HBasePeer {
  private static final long WARM_UP_MS = 6_000;
  private static final int BATCH = 128;
  private static final int BUCKETS = 10;

  public static void main(String[] args) throws Exception {
    Configuration configuration = HBaseConfiguration.create();
    String[] zookeeper = args[1].split(":");
    configuration.set("hbase.zookeeper.quorum", zookeeper[0]);
    configuration.set("hbase.zookeeper.property.clientPort", zookeeper[1]);
    try (AsyncConnection connection = ConnectionFactory.createAsyncConnection(configuration).get()) {
      TableName table = TableName.valueOf(args[2]);
      switch (args[0]) {
        case "cells" -> printCells(connection, table, scanOf(Arrays.copyOfRange(args, 3, args.length)));
        case "describe" -> {
          for (String name : Arrays.copyOfRange(args, 2, args.length)) describe(connection, TableName.valueOf(name));
        }
        case "read" -> read(connection, table, args[3], Integer.parseInt(args[4]), Long.parseLong(args[5]));
        default -> throw new IllegalArgumentException(args[0]);
      }
    }
  }

  private static Scan scanOf(String[] wanted) throws Exception {
    Scan scan = new Scan();
    if (wanted.length == 0) return scan;
    scan.setTimeRange(Long.parseLong(wanted[0]), Long.parseLong(wanted[1]));
    for (int i = 2; i < wanted.length; i += 1) {
      scan.addColumn("cf".getBytes(StandardCharsets.UTF_8), wanted[i].getBytes(StandardCharsets.UTF_8));
    }
    return scan;
  }

  private static void describe(AsyncConnection connection, TableName name) throws Exception {
    AsyncAdmin admin = connection.getAdmin();
    int regions = admin.getRegions(name).get().size();
    for (ColumnFamilyDescriptor family : admin.getDescriptor(name).get().getColumnFamilies()) {
      String settings =
          family.getConfiguration().entrySet().stream()
              .map(each -> each.getKey() + "=" + each.getValue())
              .sorted()
              .collect(Collectors.joining(","));
      System.out.println(
          String.join(
              "\t",
              name.getNameAsString(),
              String.valueOf(regions),
              family.getNameAsString(),
              family.getDataBlockEncoding().toString(),
              family.getBloomFilterType().toString(),
              String.valueOf(family.getMaxVersions()),
              family.getCompressionType().toString(),
              settings));
    }
  }

  private static void printCells(AsyncConnection connection, TableName name, Scan scan) throws Exception {
    StringBuilder lines = new StringBuilder();
    try (ResultScanner scanner = connection.getTable(name, ForkJoinPool.commonPool()).getScanner(scan)) {
      for (Result row : scanner) {
        for (Cell cell : row.rawCells()) {
          lines.append(text(CellUtil.cloneRow(cell))).append('\t');
          lines.append(text(CellUtil.cloneQualifier(cell))).append('\t');
          lines.append(cell.getTimestamp()).append('\t');
          lines.append(text(CellUtil.cloneValue(cell))).append('\n');
        }
      }
    }
    System.out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }

  private static void read(AsyncConnection connection, TableName name, String mode, int users, long seconds)
      throws Exception {
    AsyncTable<?> table = connection.getTable(name);
    int inFlight = Integer.parseInt(mode.substring(mode.indexOf(':') + 1));
    boolean isBatch = mode.startsWith("batch");
    AtomicLong rows = new AtomicLong();
    for (int i = 0; i < inFlight; i += isBatch ? BATCH : 1) {
      if (isBatch) readBatches(table, users, rows);
      else readSingly(table, users, rows);
    }
    Thread.sleep(WARM_UP_MS);
    long cpu = cpuNanos();
    long started = System.nanoTime();
    long before = rows.get();
    Thread.sleep(seconds * 1_000);
    long read = rows.get() - before;
    double took = (System.nanoTime() - started) / 1e9;
    long cpuMicros = (cpuNanos() - cpu) / 1_000;
    System.out.printf(
        "{\"rows\":%d,\"allRows\":%d,\"seconds\":%.3f,\"cpuMicros\":%d}%n", read, rows.get(), took, cpuMicros);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void readSingly(AsyncTable<?> table, int users, AtomicLong rows) {
    table.get(randomGet(users)).whenComplete((result, error) -> {
      check(result, error);
      rows.incrementAndGet();
      readSingly(table, users, rows);
    });
  }

  private static void readBatches(AsyncTable<?> table, int users, AtomicLong rows) {
    List<Get> gets = new ArrayList<>(BATCH);
    for (int i = 0; i < BATCH; i += 1) gets.add(randomGet(users));
    CompletableFuture<List<Result>> all = table.getAll(gets);
    all.whenComplete((results, error) -> {
      if (error != null) check(null, error);
      for (Result result : results) check(result, null);
      rows.addAndGet(BATCH);
      readBatches(table, users, rows);
    });
  }

  private static void check(Result result, Throwable error) {
    if (error == null && !result.isEmpty()) return;
    System.err.println(error == null ? "A row is missing." : error.toString());
    Runtime.getRuntime().halt(1);
  }

  private static Get randomGet(int users) {
    byte[] uid = ("user_" + ThreadLocalRandom.current().nextInt(users)).getBytes(StandardCharsets.UTF_8);
    CRC32 crc = new CRC32();
    crc.update(uid);
    byte[] key = new byte[uid.length + 2];
    key[0] = (byte) ('0' + crc.getValue() % BUCKETS);
    key[1] = '_';
    System.arraycopy(uid, 0, key, 2, uid.length);
    return new Get(key);
  }

  private static long cpuNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
