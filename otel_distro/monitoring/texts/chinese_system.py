"""Chinese (simplified): what is said about telemetry, targets, the Collector and machines."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.model import Text

SYSTEM: Final = {
    "SeriesLimitReached": Text(
        summary="{job}：{instrument} 的序列数超过上限",
        description="最近 {window} 内，{job} 的 {instrument} 有 {value} 次测量进入溢出序列：新的标签值没有自己的序列。",
        meaning='某个指标的序列数已达上限（`OTEL_DISTRO_SERIES_LIMIT`，2,000）。更多的标签值汇总到带有 `otel_metric_overflow="true"` 的一条序列：总数仍然正确，细分不再正确。',
        causes=("标签取值无穷：用户号、订单号、原始路径", "有人扫描服务，每次尝试都产生新的值"),
        mend=(
            "从指标中去掉该标签，或把取值归并为少数几个。",
            "只有取值数量有限时才调高 `OTEL_DISTRO_SERIES_LIMIT`；然后重启服务。",
        ),
    ),
    "TelemetryRejected": Text(
        summary="{job}：{instrument} 的值被拒绝",
        description="最近 {window} 内，{job} 的 {instrument} 有 {value} 个值无法记录。",
        meaning="服务给了指标无法接受的值：负数或不可能的数量、文本、错误的标签。",
        causes=("缺少金额（None），或把退款记成负的订单", "代码里改了标签名而声明里没有改"),
        mend=("服务日志对每个指标有一条警告，带有该值；修正它所指的调用。",),
    ),
    "LogLinesDropped": Text(
        summary="{job}（{instance}）：日志行丢失",
        description="最近 {window} 内，{job}（{instance}）有 {value} 行日志无法写入。",
        meaning="日志文件拒绝写入，或 `OTEL_DISTRO_LOG_FORMAT` 写往的控制台拒绝写入。这些行在那里已丢失，服务继续运行。",
        causes=(
            "磁盘已满",
            "文件或目录属于另一个用户",
            "配额用完或文件系统只读",
            "读取控制台的一方已退出：管道另一端的程序、容器的日志驱动；此时文件中的行是全的",
        ),
        mend=("释放空间或修正权限：每秒会重试一次文件，不需要重启。", "写断的行以换行隔开；文件不需要修复。"),
    ),
    "TargetDown": Text(
        summary="{job}（{instance}）没有应答",
        description="Prometheus 已有 {held} 无法读取 {job}（{instance}）的指标。",
        meaning="指标页没有应答，或没有及时应答。在此期间，该实例的其他告警以及针对整个任务的告警被抑制。",
        causes=(
            "进程已退出或挂起",
            "指标页监听在别的地址（`OTEL_EXPORTER_PROMETHEUS_HOST`，默认 localhost）或端口",
            "指标页的凭据或证书变了",
        ),
        mend=(
            "从 Prometheus 所在的机器读取指标页：`Status > Targets` 显示的错误说明是三者中的哪一个。",
            "重启服务；若目标不再使用，从发现文件中删除。",
        ),
    ),
    "MetricsPageSlow": Text(
        summary="{job}（{instance}）：读取指标耗时 {value}",
        description="{job}（{instance}）的指标页耗时 {value}；上限为 {limit}s，Prometheus 在 10s 后放弃。",
        meaning="指标页几乎慢到无法读取；那时该任务的所有告警都会失明。",
        causes=("序列过多：标签取值无穷", "可观测指标的回调在等待", "机器过载"),
        mend=("减少序列数（见 SeriesLimitReached），或降低抓取频率。",),
    ),
    "CollectorCredentialsRefused": Text(
        summary="Collector {instance}：{server_address}:{server_port} 拒绝其凭据（{http_response_status_code}）",
        description="最近 {window} 内，{server_address}:{server_port} 以 {http_response_status_code} 应答了 Collector {instance}（{job}）{value} 次。密钥或密码错误、已过期，或缺少权限。",
        meaning="Collector 发往那里的内容不被接收。发往 Elasticsearch 的日志在磁盘上等待，修复后发出；除此之外没有别的提示。被这样拒绝的指标和链路会丢失。",
        causes=("API 密钥过期或已作废，密码已更改", "密钥缺少索引上的某项权限"),
        mend=(
            "给密钥补上权限（无需重启）；或杀死 Collector（此时正常停止可能丢失日志行），在 `ELASTICSEARCH_API_KEY` 中换上新密钥后再启动。",
            "用 Collector 的凭据运行 `otel-distro elasticsearch check`，它会说出缺少哪项权限。",
        ),
    ),
    "LogPipelineStalled": Text(
        summary="Collector {instance}：日志在等待而没有发出",
        description="Collector {instance}（{job}）日志队列中有 {value}（字节或条数，视队列的计量而定），已有 {window} 没有发出任何内容。",
        meaning="Collector 有日志而送不出去。没有丢失：队列在磁盘上，满了以后文件会等待。新的日志暂时搜不到。",
        causes=(
            "Elasticsearch 停机、磁盘超过洪水水位，或应答 429",
            "凭据过期：这时 CollectorCredentialsRefused 会告警",
            "Collector 的密钥没有索引权限：`otel-distro elasticsearch check` 会说出缺少哪一项",
            "它发往网关，而网关不可用或拒绝其证书：Collector 的日志会说明是哪一个",
        ),
        mend=(
            "修复 Elasticsearch 或网关；Collector 会自己重试并赶上。",
            "期间可以查询文件：`otel-distro logs errors --hours 1 --logs 'logs/*.log'`。",
        ),
    ),
    "LogsRefusedByCollector": Text(
        summary="Collector {instance}：拒绝接收日志",
        description="最近 {window} 内，Collector {instance}（{job}）拒绝了 {value} 条日志记录（每次重试都计入），接收的比这少。",
        meaning="Collector 的磁盘或内存没有空间接收新的日志。已确认的内容没有丢失。文件和 TCP 发送方会等待并重试；通过 OTLP 发送的服务会丢弃自己队列放不下的内容。新的日志暂时搜不到。此时队列可能是空的，Elasticsearch 也正常应答。",
        causes=(
            "`file/taken` 失败：`STORAGE_DIR` 所在的文件系统已满",
            "队列写入失败：队列文件没有预留的磁盘份额，或队列已满而 OTLP 发送方不再等待",
            "`memory_limiter` 拒绝：Collector 的内存超过 `MEMORY_LIMIT_MIB` 减去 `MEMORY_SPIKE_MIB`",
        ),
        mend=(
            "前三个查询指出是谁在拒绝；Collector 的日志说明原因。",
            "在 `STORAGE_DIR` 所在的文件系统上腾出空间，或将其扩大：Collector 会自行恢复，不需要重启。",
            "若文件系统太小、谁也腾不出空间：杀死 Collector，删除 `STORAGE_DIR/taken`，再启动它。",
            "调高 `MEMORY_LIMIT_MIB`；为此应杀死 Collector 再启动，正常停止可能丢失日志行。",
        ),
    ),
    "LogsRefusedByElasticsearch": Text(
        summary="Collector {instance}：Elasticsearch 拒绝文档",
        description="最近 {window} 内，Elasticsearch 拒绝了 Collector {instance}（{job}） 的 {value} 个文档：{error_type}。",
        meaning="个别文档因其内容被拒绝，其余的通过。它们没有丢失：Collector 最近接收的内容都在它的磁盘上。",
        causes=(
            "某个字段的类型与索引不同：原来是数字，现在是文本",
            "索引模板缺失或比软件包旧",
            "索引已关闭，或无法创建，例如分片数已达上限（`validation_exception`）：当天的文档全部被拒绝",
        ),
        mend=(
            "在 Collector 旁运行 `otel-distro elasticsearch refused --taken STORAGE_DIR/taken`：显示每条记录及原因，并保存到一个索引。",
            "在服务中改字段名，或修改映射：当天的索引直接改，第二天起的改模板。",
            "再次运行同一命令，不再被拒绝的记录就会存入；加上 `--create-indices`，索引无法创建期间的记录也会存入。",
        ),
    ),
    "CollectorQueueFilling": Text(
        summary="Collector {instance}：{exporter} 的队列已用 {value}",
        description="Collector {instance}（{job}） 的 {exporter}（{data_type}）队列已用 {value}；上限为 {limit_percent}。",
        meaning="进来的比出去的多。队列满时，来源必须等待，或其数据被拒绝。",
        causes=("导出的目标慢或不可用", "日志远多于平时：循环中的错误"),
        mend=("看哪一边变了：进来的，还是出去的。", "修复接收方、加大队列，或把过于啰嗦的来源调低一级。"),
    ),
    "NodeDiskFilling": Text(
        summary="{instance}：{mountpoint} 剩余 {value}",
        description="{instance}（{job}）的 {mountpoint} 剩余 {value}：少于 {limit_percent}，或按最近几小时的速度将在 {hours} 内写满。",
        meaning="文件系统快要写满。写满时，其上的日志、队列和数据库都会停止。",
        causes=("没有轮转的日志", "Elasticsearch 停机期间 Collector 的队列", "旧索引或核心转储"),
        mend=("找出增长的东西（`du -xh --max-depth 2`），删除或移走。", "设置轮转，然后观察趋势。"),
    ),
    "NodeMemoryLow": Text(
        summary="{instance}：可用内存为 {value}",
        description="{instance}（{job}）的可用内存为 {value}；下限为 {limit_percent}。",
        meaning="机器即将杀死进程或开始换页。",
        causes=("某个进程在增长：看最近一天的常驻内存", "对这台机器来说工作进程太多"),
        mend=("重启增长的进程并保留其内存剖析；减少工作进程数，或移走一个服务。",),
    ),
}
