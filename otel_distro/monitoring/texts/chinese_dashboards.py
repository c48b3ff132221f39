"""Chinese (simplified): dashboards."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.model import DashboardText, DashboardWords, PanelText

SERVICE: Final = DashboardText(
    "服务",
    {"now": "当前", "requests": "请求", "durations": "耗时", "answers": "响应", "objectives": "目标"},
    {
        "rate": PanelText("请求速率", "最近 5 分钟每秒的请求数。"),
        "error_share": PanelText("失败占比", "以 5xx 状态结束的请求占比；超过 {limit} 时触发 `HighErrorRate`。"),
        "p95": PanelText("最慢的 5%", "每二十个请求有一个耗时更长；超过 {limit} 秒时触发 `HighResponseTime`。"),
        "in_flight": PanelText("处理中", "已开始而未结束的请求，所有进程合计。"),
        "availability_left": PanelText(
            "剩余错误预算", "目标 {objective} 在 30 天内允许的失败还剩多少；低于 0 即超支。"
        ),
        "latency_left": PanelText(
            "剩余慢请求预算", "{objective} 的请求须在 {seconds} 秒内响应，30 天内允许的慢请求还剩多少。"
        ),
        "rate_by_endpoint": PanelText("各接口请求速率", "按路由模板，每秒的请求数。"),
        "rate_by_status": PanelText("按方法与状态的请求速率", "每秒的请求数；圆点为有追踪的请求。"),
        "error_share_by_endpoint": PanelText(
            "各接口失败占比", "各接口以 5xx 状态结束的请求占比；总占比超过 {limit} 时触发 `HighErrorRate`。"
        ),
        "quantiles": PanelText(
            "耗时",
            "所选接口有一半请求长于 p50，5% 长于 p95，1% 长于 p99，均在桶内估算。圆点为有追踪的请求，横线为上限 {limit} 秒。",
        ),
        "p95_by_endpoint": PanelText("各接口最慢的 5%", "各接口的第 95 百分位；横线为上限 {limit} 秒。"),
        "p50_by_endpoint": PanelText("各接口中位数", "接口有一半请求耗时更长；横线为上限 {limit} 秒。"),
        "size": PanelText("平均响应大小", "各接口响应体的字节数。"),
        "traffic": PanelText("发送字节", "各接口每秒发送的响应体字节数。"),
        "in_flight_over_time": PanelText(
            "各实例处理中的请求", "已开始而未结束的请求。若一直停在工作进程数，则全部都在忙。"
        ),
        "availability_burning": PanelText(
            "错误预算消耗速度", "1 表示 30 天恰好用完 30 天的预算；最短窗口的告警在 {factor} 触发。"
        ),
        "latency_burning": PanelText(
            "慢请求预算消耗速度", "1 表示 30 天恰好用完 30 天的预算；最短窗口的告警在 {factor} 触发。"
        ),
        "budgets_left": PanelText("剩余预算", "1 为 30 天的全部预算，0 为用尽，更低即超支。"),
    },
)

BUSINESS: Final = DashboardText(
    "业务",
    {"total": "所选时间内", "orders": "订单", "money": "金额与时间", "own": "自定义指标"},
    {
        "orders_total": PanelText("订单", "所选时间内各状态的订单数。"),
        "revenue_total": PanelText("收入", "所选时间内各币种的收入。"),
        "users": PanelText("活跃用户", "服务最近一次上报的数目，按统计时段。"),
        "orders_by_status": PanelText("各状态订单", "每秒的订单数。"),
        "orders_by_method": PanelText("各支付方式订单", "每秒的订单数，不论结果。"),
        "failed_by_method": PanelText("各支付方式失败占比", "失败订单的占比；超过 {limit} 时触发 `PaymentFailures`。"),
        "revenue": PanelText("各币种收入", "每分钟的收入。"),
        "processing": PanelText("处理时间", "每类订单有一半长于 p50，5% 长于 p95。圆点为有追踪的订单。"),
        "users_over_time": PanelText("活跃用户走势", "服务最近一次上报的数目，按统计时段。"),
    },
)

FUNCTIONS: Final = DashboardText(
    "函数",
    {"functions": "被测函数", "dearest": "时间花在哪里"},
    {
        "calls": PanelText("调用", "`track_performance` 所测函数每秒的调用数。"),
        "mean": PanelText("平均耗时", "每次调用的秒数。"),
        "p95": PanelText("最慢的 5%", "每二十次调用有一次耗时更长。圆点为有追踪的调用。"),
        "p50": PanelText("中位数", "一半的调用耗时更长。圆点为有追踪的调用。"),
        "spent": PanelText("总耗时", "所选时间内全部调用共用的秒数；函数的时间包含它所调用函数的时间。"),
    },
)

LOGS: Final = DashboardText(
    "日志",
    {"volume": "数量", "errors": "最常见的错误", "documents": "文档"},
    {
        "volume": PanelText("各级别文档", "所选服务、级别与搜索条件下的日志文档。"),
        "count": PanelText("文档", "所选时间内的日志文档数。"),
        "errors": PanelText("错误", "ERROR 或 CRITICAL 级别的文档数，与所选级别无关。"),
        "top_errors": PanelText("按类型的错误", "异常的类型；没有异常的错误不在其中。"),
        "top_loggers": PanelText("按记录器的错误", "由服务的哪个部分记录。"),
        "top_users": PanelText("按用户的错误", "用户已知的请求。"),
        "error_table": PanelText(
            "错误列表", "最新的 ERROR 或 CRITICAL 文档。追踪 ID 指向追踪，请求与用户指向其全部文档。"
        ),
        "lines": PanelText("日志", "所选服务、级别与搜索条件下最新的文档。"),
    },
)

PIPELINE: Final = DashboardText(
    "管道",
    {"queue": "队列", "records": "记录", "services": "服务未能记录的内容"},
    {
        "fill": PanelText("队列占用", "各导出器队列的占用比例；超过 {limit} 时触发 `CollectorQueueFilling`。"),
        "queue": PanelText("队列", "各导出器队列中等待的数量与容量（字节或条数，视队列的计量而定）。"),
        "lag": PanelText("滞后", "按当前速度把等待内容发往 Elasticsearch 所需的秒数；没有发送时没有曲线。"),
        "newest": PanelText("最新文档", "Elasticsearch 中最新日志文档距今多久，不分服务。"),
        "taken": PanelText("接收与发送", "每秒的日志记录数。"),
        "failed": PanelText(
            "拒收与失败",
            "每秒被接收器拒收（发送方会重试）、被导出器放弃、因队列已满未能入队或因内存限制被拒的日志记录数；每次尝试都计入。",
        ),
        "documents": PanelText(
            "按结果的文档",
            "Elasticsearch 对每个文档的答复。`failed_client` 且状态不是 409 即被永久拒绝；409 表示已存在。",
        ),
        "log_lines_dropped": PanelText("丢弃的日志行", "服务每秒未能写入的行数。"),
        "export_dropped": PanelText("未能通过 OTLP 送达", "每秒没有接收方收到的跨度、日志记录与指标点，按原因。"),
        "rejected": PanelText("被拒绝的值", "每秒任何指标都不能接受的值，按仪表。"),
        "series_overflows": PanelText("超出序列上限", "每秒标签被舍弃的测量，按仪表。"),
        "scrapes": PanelText(
            "读取指标页的时间", "秒；超过 {limit} 时触发 `MetricsPageSlow`，Prometheus 在 10 秒后放弃。"
        ),
    },
)

NODE: Final = DashboardText(
    "节点",
    {"processors": "处理器", "memory": "内存与磁盘", "network": "流量"},
    {
        "cpu": PanelText("处理器繁忙", "全部处理器非空闲时间的占比。"),
        "cpu_modes": PanelText("处理器在做什么", "全部处理器时间的占比，按模式。"),
        "load": PanelText("每处理器负载", "运行或待运行的进程数除以处理器数；超过 1 即有进程在等待。"),
        "memory": PanelText("可用内存", "程序不用交换即可获得的比例；低于 {limit} 时触发 `NodeMemoryLow`。"),
        "memory_bytes": PanelText("内存", "程序可获得的与总共的内存。"),
        "disk": PanelText("磁盘剩余", "各文件系统的剩余比例；低于 {limit} 时触发 `NodeDiskFilling`，即将写满时更早。"),
        "network": PanelText("网络", "每秒字节数，按设备。"),
        "disk_traffic": PanelText("磁盘读写", "每秒字节数，按设备。"),
    },
)

WORDS: Final = DashboardWords(
    {
        "service": SERVICE,
        "business": BUSINESS,
        "functions": FUNCTIONS,
        "logs": LOGS,
        "pipeline": PIPELINE,
        "node": NODE,
    },
    {
        "datasource": "指标数据源",
        "logs": "日志数据源",
        "traces": "追踪数据源",
        "job": "服务",
        "endpoint": "接口",
        "function_name": "函数",
        "service": "服务",
        "level": "级别",
        "search": "搜索",
        "instance": "实例",
        "availability": "错误",
        "latency": "慢请求",
        "size": "等待",
        "capacity": "容量",
        "accepted": "接收",
        "sent": "发送",
        "refused": "拒收",
        "failed": "失败",
        "not_queued": "未能入队",
        "available": "可用",
        "total": "总量",
        "in": "入",
        "out": "出",
        "to_logs": "同一服务与时间的日志",
        "to_trace": "追踪",
        "to_documents": "相关的全部文档",
    },
)
