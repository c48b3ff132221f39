"""Chinese (simplified)."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.chinese_system import SYSTEM
from otel_distro.monitoring.texts.model import Headings, Language, Text

HEADINGS: Final = Headings(
    title="运行手册",
    introduction="每个告警一节：含义、先看什么、常见原因、如何处理。查询用于 Prometheus 或 Grafana，命令在存放日志的机器上执行；数字即告警当前的阈值。",
    meaning="含义",
    look="先看",
    causes="常见原因",
    mend="处理",
    severities={"critical": "严重（critical）：立即处理", "warning": "警告（warning）：当天处理"},
    at_once="立即触发",
    held="持续 {held} 后触发",
)

SERVICE: Final = {
    "HighErrorRate": Text(
        summary="{job}：{value} 的请求失败",
        description="最近 {window} 内，{job} 有 {value} 的请求以 5xx 状态结束；上限为 {limit_percent}。",
        meaning="状态码 500 及以上的请求占比超过 {limit_percent}，用户正在看到错误。",
        causes=(
            "新版本弄坏了某个接口：只有一个接口的占比高",
            "后端数据库或依赖服务不可用：许多接口的占比同时升高",
            "请求很少时，一次失败就占很大比例：请同时看请求速率",
        ),
        mend=(
            "找出接口和最常见的错误；`otel-distro logs request ID` 显示一次请求的全部日志。",
            "若从发布时开始，则回滚；否则恢复错误所指的依赖。",
        ),
    ),
    "HighResponseTime": Text(
        summary="{job}：最慢的 5% 请求耗时 {value} 或更长",
        description="最近 {window} 内，{job} 请求耗时的第 95 百分位为 {value}；上限为 {limit}s。",
        meaning="每二十个请求就有一个超过 {limit} 秒。百分位在桶内（1 至 2.5 秒）估算，耗时在桶内分布均匀时才能准确判断是否越限。",
        causes=(
            "某个接口慢：只有一个接口的百分位高",
            "在等锁、连接池或后端服务：处理中的请求多而 CPU 空闲",
            "工作进程太少：所有接口都慢，`active_connections` 停在进程数",
        ),
        mend=(
            "比较各函数的耗时：告警开始时是哪一个变长了？",
            "若所有接口都慢，增加工作进程或减轻负载；为后端调用设置超时。",
        ),
    ),
    "LowRequestRate": Text(
        summary="{job}：每秒只有 {value} 个请求",
        description="{job} 已有 {held} 每秒不足 {limit} 个请求，当前为 {value}。0 也可能表示它的指标已消失。",
        meaning="每秒到达的请求少于 {limit} 个，或某个任务在 {memory} 内有过的请求指标消失了。从未有过请求的任务不在此列。",
        causes=(
            "前端（负载均衡、DNS、证书）不再指向这里",
            "服务挂起或反复重启",
            "正处于清闲时段：那么这个下限对该服务太高",
        ),
        mend=(
            "从外部发一个请求并跟踪它：在哪里中断？",
            "若指标页消失，重启服务；若这是正常的夜间流量，调低下限（`otel-distro rules --requests-per-second`）。",
        ),
    ),
    "AvailabilityBudgetBurning": Text(
        summary="{job}：失败的请求消耗错误预算的速度超过 30 天所允许的 {factor} 倍",
        description="最近 {long} 内，{job} 有 {value} 的请求失败，最近 {short} 内仍在继续。目标为 {objective}：这超过其 30 天预算所允许速度的 {factor} 倍。",
        meaning="失败的请求过多，30 天内将达不到 {objective} 的目标：长窗口说明问题严重，短窗口说明仍在继续。窗口越短，预算消耗越快。",
        causes=("与 HighErrorRate 相同，占比低于其上限时也会发生：长时间的小比例失败", "某个一直失败而无人注意的接口"),
        mend=("严重：按故障处理。警告：当天安排修复，并推迟有风险的发布。", "剩余预算说明还有多少时间。"),
    ),
    "LatencyBudgetBurning": Text(
        summary="{job}：慢请求消耗延迟预算的速度超过 30 天所允许的 {factor} 倍",
        description="最近 {long} 内，{job} 有 {value} 的请求超过 {seconds}s，最近 {short} 内仍在继续。目标为 {objective} 在 {seconds}s 以内：这超过其 30 天预算所允许速度的 {factor} 倍。",
        meaning="超过 {seconds} 秒的请求过多，30 天内将达不到 {objective} 的目标。窗口组合与 AvailabilityBudgetBurning 相同。",
        causes=("与 HighResponseTime 相同，百分位低于其上限时也会发生",),
        mend=("与 HighResponseTime 相同；剩余预算说明还有多少时间。",),
    ),
    "RevenueStopped": Text(
        summary="{job}：已有 {pause} 没有收入",
        description="{job} 已有 {pause} 没有收款；最近 {memory} 内平均每小时收入 {value}。",
        meaning="在 {memory} 内有过收入的任务已有 {pause} 没有收入，或其指标消失了。从未有过收入的任务不在此列。",
        causes=(
            "支付服务商不可用：订单失败",
            "下单之前的环节坏了：有请求而没有订单",
            "完全没有客户：请求速率也低",
        ),
        mend=(
            "自己下一个订单，并按请求号查询：`otel-distro logs request ID`。",
            "若订单失败，见 PaymentFailures；若没有请求，见 LowRequestRate。",
        ),
    ),
    "PaymentFailures": Text(
        summary="{job}：用 {payment_method} 支付的订单有 {value} 失败",
        description="最近 {window} 内，{job} 用 {payment_method} 支付的订单有 {value} 失败；上限为 {limit_percent}。",
        meaning="某一种支付方式的失败订单占比超过 {limit_percent}，其他方式可能正常。",
        causes=("该支付方式的服务商不可用或拒绝凭据", "新规则（限额、风控）拒绝过多"),
        mend=("失败订单的日志带有错误和订单号。", "在服务商恢复之前，先下线该支付方式。"),
    ),
}

LANGUAGE: Final = Language(HEADINGS, {**SERVICE, **SYSTEM})
