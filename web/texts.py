"""What the pages say, in English and Chinese; templates and scripts take it from here by its key.

A key that ends in ``.one`` is the singular of the one without. ``{n}`` and other names in braces are
filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

TEXTS: Mapping[str, tuple[str, str]] = {
    "frame.skip": ("Skip to the content", "跳到内容"),
    "frame.pages": ("Pages", "页面"),
    "frame.dark": ("Dark", "深色"),
    "frame.light": ("Light", "浅色"),
    "frame.offline": (
        "tagtray cannot be reached; what is shown may be old.",
        "无法连接 tagtray，显示的内容可能已过时。",
    ),
    "frame.away": (
        "tagtray does not answer; what is shown is as of {time}.",
        "tagtray 没有响应，显示的是 {time} 的内容。",
    ),
    "frame.busy": (
        "{n} photos are still to be looked at, {speed} a second.",
        "还有 {n} 张照片待处理，每秒 {speed} 张。",
    ),
    "frame.unexpected": ("The server gave an answer that was not expected.", "服务器返回了意外的结果。"),
    "frame.script": ("This page needs scripts.", "此页面需要启用脚本。"),
    "nav.drop": ("Drop", "投放"),
    "nav.gallery": ("Gallery", "图库"),
    "nav.teach": ("Teach", "教学"),
    "nav.failures": ("Failures", "失败"),
    "nav.status": ("Status", "状态"),
    "nav.docs": ("For programs", "程序接口"),
    "docs.explained": (
        "What this server answers to programs. The same for tools:",
        "此服务器为程序提供的接口。供工具使用的描述：",
    ),
    "nav.leave": ("Log out", "退出"),
    "search.label": ("Search photos", "搜索照片"),
    "search.placeholder": ("dog taken:2024-05", "狗 taken:2024-05"),
    "search.suggestions": ("Suggestions", "建议"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied.", "已复制。"),
    "copy.refused": ("The browser does not allow copying here.", "浏览器不允许在此复制。"),
    "undo": ("Undo", "撤销"),
    "undone": ("Taken back.", "已撤销。"),
    "retry": ("Retry", "重试"),
    "retry.all": ("Retry all", "全部重试"),
    "retry.reason": ("Retry these {n}", "重试这 {n} 张"),
    "retry.reason.one": ("Retry this one", "重试这 1 张"),
    "retry.one": ("Retry {name}", "重试 {name}"),
    "retry.done": ("{n} photos are tried again.", "正在重试 {n} 张照片。"),
    "retry.done.one": ("1 photo is tried again.", "正在重试 1 张照片。"),
    "drop.title": ("Drop photos", "投放照片"),
    "drop.invitation": ("Drop photos or a folder here, or paste one", "把照片或文件夹拖到这里，或直接粘贴"),
    "drop.promise": ("They stay on this machine.", "照片只留在这台机器上。"),
    "drop.pick": ("Photos", "照片"),
    "drop.folder": ("Folder", "文件夹"),
    "drop.camera": ("Camera", "相机"),
    "drop.classify": ("Classify", "识别"),
    "drop.progress": ("Progress", "进度"),
    "drop.photos": ("Photos and what they show", "照片及其内容"),
    "drop.open": ("Open {name}", "打开 {name}"),
    "drop.waits": ("Kept; it waits to be classified.", "已保存，等待识别。"),
    "drop.unreadable": ("The browser cannot read this file.", "浏览器无法读取此文件。"),
    "drop.gone": ("The file is gone.", "文件已不存在。"),
    "drop.count": ("{done} of {n} photos", "{n} 张中的 {done} 张"),
    "drop.kept": ("{n} wait", "{n} 张等待中"),
    "drop.failed": ("{n} failed", "{n} 张失败"),
    "gallery.categories": ("Categories", "类别"),
    "gallery.undated": ("Without a date", "无日期"),
    "gallery.found": ("Photos", "照片"),
    "gallery.nothing": ("No photo is found.", "没有找到照片。"),
    "gallery.more": ("More", "更多"),
    "gallery.count": ("{n} photos", "{n} 张照片"),
    "gallery.count.one": ("1 photo", "1 张照片"),
    "gallery.new": ("{n} new photos", "{n} 张新照片"),
    "gallery.new.one": ("1 new photo", "1 张新照片"),
    "gallery.first": ("More than {n} photos", "超过 {n} 张照片"),
    "gallery.empty": ("There are no photos yet", "还没有照片"),
    "gallery.how": ("Have tagtray look at a folder:", "让 tagtray 读取一个文件夹："),
    "gallery.to_drop": ("Drop photos", "投放照片"),
    "detail.title": ("Photo", "照片"),
    "detail.close": ("Back to the gallery", "返回图库"),
    "detail.previous": ("Photo before", "上一张"),
    "detail.next": ("Photo after", "下一张"),
    "detail.labels": ("Labels", "识别结果"),
    "detail.tags": ("Tags", "标签"),
    "detail.this_is": ("This is …", "这是……"),
    "detail.add": ("Add", "添加"),
    "detail.reject": ("This is not {name}", "这不是{name}"),
    "detail.similar": ("Similar photos", "相似照片"),
    "detail.taken": ("Taken", "拍摄时间"),
    "detail.taken_from": ("Known from", "时间来源"),
    "detail.camera": ("Camera", "相机"),
    "detail.size": ("Size", "尺寸"),
    "detail.state": ("State", "状态"),
    "detail.path": ("Path", "路径"),
    "detail.model": ("Model", "模型"),
    "origin.model": ("network", "网络"),
    "origin.taught": ("taught", "学得"),
    "origin.person": ("you", "你"),
    "taken.exif": ("the camera", "相机"),
    "taken.xmp": ("XMP in the file", "文件中的 XMP"),
    "taken.sidecar": ("an .xmp file beside it", "旁边的 .xmp 文件"),
    "taken.png": ("the PNG's text", "PNG 文本"),
    "taken.modified": ("its last change", "最后修改时间"),
    "taken.filename": ("the file's name", "文件名"),
    "selection.title": ("Selected photos", "已选照片"),
    "selection.select": ("Select {name}", "选择 {name}"),
    "selection.count": ("{n} selected", "已选 {n} 张"),
    "selection.is": ("This is …", "这是……"),
    "selection.is_not": ("This is not …", "这不是……"),
    "selection.list": ("Download list", "下载列表"),
    "selection.retry": ("Retry", "重试"),
    "selection.clear": ("Clear the selection", "取消选择"),
    "selection.name": ("Name of a tag", "标签名称"),
    "selection.say": ("Say so", "确定"),
    "selection.say_not": ("Say so", "确定"),
    "said.shows": ("{n} photos: this is {name}.", "{n} 张照片：这是{name}。"),
    "said.shows.one": ("This is {name}.", "这是{name}。"),
    "said.shows_not": ("{n} photos: this is not {name}.", "{n} 张照片：这不是{name}。"),
    "said.shows_not.one": ("This is not {name}.", "这不是{name}。"),
    "said.begun": (
        "{name} is an own tag now, with {n} examples.",
        "“{name}”现在是自定义标签，有 {n} 个示例。",
    ),
    "said.begun.one": (
        "{name} is an own tag now, with 1 example.",
        "“{name}”现在是自定义标签，有 1 个示例。",
    ),
    "teach.explained": (
        "Tags of your own, learned from a few photos: select photos in the gallery and say what they are.",
        "由几张照片学得的自定义标签：在图库中选择照片并说明它们是什么。",
    ),
    "teach.none": ("There are no own tags yet", "还没有自定义标签"),
    "teach.how": (
        "Select five or more photos in the gallery, press “This is …” and give a name.",
        "在图库中选择五张以上照片，按“这是……”并输入名称。",
    ),
    "teach.to_gallery": ("To the gallery", "前往图库"),
    "teach.photos": ("{n} photos", "{n} 张照片"),
    "teach.photos.one": ("1 photo", "1 张照片"),
    "teach.sure": ("at least {percent} of them right", "其中至少约 {percent} 正确"),
    "teach.examples": ("{n} examples, {not} counter-examples", "{n} 个示例，{not} 个反例"),
    "teach.examples.one": ("1 example, {not} counter-examples", "1 个示例，{not} 个反例"),
    "teach.learning": ("It is being learned.", "正在学习。"),
    "teach.not_learned": (
        "It is not learned yet; from five examples on it is looked for on other photos.",
        "尚未学习；有五个示例后才会在其他照片中查找。",
    ),
    "teach.outdated": ("Its examples have changed since it was learned.", "学习之后示例有变化。"),
    "teach.not_found": (
        "Its examples do not tell it from other photos well enough yet; further answers help.",
        "目前的示例还不足以把它与其他照片区分开，多判断几张会有帮助。",
    ),
    "teach.forget": ("Forget", "删除"),
    "teach.forget_sure": (
        "Forget {name}, with all that was said of it?",
        "删除“{name}”以及所有相关标注？",
    ),
    "judge.begin": ("Judge the next 20", "判断接下来 20 张"),
    "judge.title": ("Judge photos", "判断照片"),
    "judge.question": ("Is this {name}?", "这是{name}吗？"),
    "judge.progress": ("Progress", "进度"),
    "judge.count": ("{n} of {all}", "第 {n} 张，共 {all} 张"),
    "judge.yes": ("Yes", "是"),
    "judge.no": ("No", "否"),
    "judge.skip": ("Skip", "跳过"),
    "judge.yes.key": ("y", "y"),
    "judge.no.key": ("n", "n"),
    "judge.skip.key": ("Space", "Space"),
    "judge.end": ("End", "结束"),
    "judge.none": ("There is nothing to judge now.", "现在没有需要判断的照片。"),
    "failures.total": ("{n} photos could not be classified.", "{n} 张照片无法识别。"),
    "failures.total.one": ("1 photo could not be classified.", "1 张照片无法识别。"),
    "failures.latest": ("These are the latest {n}.", "以下是最近的 {n} 张。"),
    "failures.attempts": ("{n} attempts", "尝试 {n} 次"),
    "failures.attempts.one": ("1 attempt", "尝试 1 次"),
    "failures.reasons": ("Reasons", "原因"),
    "failures.all": ("All", "全部"),
    "failures.none_of": ("Nothing fails for this reason", "没有因此失败的照片"),
    "failures.none": ("Nothing has failed", "没有失败"),
    "failures.explained": (
        "Photos that cannot be classified are listed here, each with its reason.",
        "无法识别的照片会列在这里，并注明原因。",
    ),
    "state.done": ("Done", "完成"),
    "state.pending": ("Pending", "待处理"),
    "state.queued": ("Queued", "排队中"),
    "state.running": ("Running", "进行中"),
    "state.failed": ("Failed", "失败"),
    "state.missing": ("Missing", "缺失"),
    "state.ignored": ("Ignored", "忽略"),
    "status.speed": ("Images a second", "每秒图像"),
    "status.oldest": ("Oldest waits", "最久等待"),
    "status.plot": ("Images a second over the last five minutes", "最近五分钟每秒图像数"),
    "status.span": ("The last five minutes", "最近五分钟"),
    "status.top": ("at most {n}", "最高 {n}"),
    "status.as_of": ("As of {time}", "截至 {time}"),
    "status.workers": ("Workers", "工作进程"),
    "status.no_worker": ("No worker runs; this starts one:", "没有工作进程；用此命令启动："),
    "status.stores": ("Stores", "存储"),
    "status.database": ("Ledger", "账本"),
    "status.model": ("Model", "模型"),
    "status.queue": ("Queue", "队列"),
    "status.in_queue": ("{n} images", "{n} 张图像"),
    "status.in_queue.one": ("1 image", "1 张图像"),
    "status.stale": ("Stale", "过期"),
    "status.held": ("Held", "暂停"),
    "status.hold": ("{root}: {n} images wait", "{root}：{n} 张图像等待"),
    "status.hold.one": ("{root}: 1 image waits", "{root}：1 张图像等待"),
    "worker.host": ("Host", "主机"),
    "worker.engine": ("Engine", "引擎"),
    "worker.images": ("Images", "图像"),
    "login.title": ("Log in", "登录"),
    "login.token": ("Token", "令牌"),
    "login.wrong": ("That is not the token.", "令牌不正确。"),
    "login.enter": ("Log in", "登录"),
    "login.explained": (
        "It is the value of TAGTRAY_TOKEN where tagtray was started.",
        "即启动 tagtray 时 TAGTRAY_TOKEN 的值。",
    ),
    "problem.title": ("That did not work", "出错了"),
    "problem.back": ("To the start", "返回首页"),
    "code.not_found": ("There is nothing under this address.", "此地址没有内容。"),
    "code.no_worker": ("No worker runs; what is added waits.", "没有工作进程；新增的照片会等待。"),
    "code.store_away": ("A store does not answer; what is added waits.", "存储没有响应；新增的照片会等待。"),
    "code.busy": ("The server is busy.", "服务器繁忙。"),
    "code.too_many_attempts": (
        "There were too many wrong tokens from this address; try again later.",
        "此地址的错误令牌过多，请稍后再试。",
    ),
    "code.empty": ("The file is empty.", "文件为空。"),
    "code.not_an_image": ("The file is not a picture.", "文件不是图片。"),
    "code.unsupported": ("The image is of a kind that is not read.", "不支持此类图像。"),
    "code.truncated": ("The image ends too early.", "图像不完整。"),
    "code.corrupt": ("The image's pixels are damaged.", "图像像素已损坏。"),
    "code.too_large": ("The file is too large.", "文件过大。"),
    "code.too_many_pixels": ("The image has too many pixels.", "图像像素过多。"),
    "code.unreadable": ("The file cannot be read.", "无法读取文件。"),
    "code.outside_root": ("The file is a link that leads out of its folder.", "文件是指向文件夹之外的链接。"),
    "code.out_of_memory": ("There was not enough memory to decode it.", "内存不足，无法解码。"),
    "code.timeout": ("Decoding it took too long.", "解码时间过长。"),
    "code.crashed_worker": ("The decoder or the network crashed on it.", "解码器或网络处理时崩溃。"),
}


class Translator:
    """The texts of one language."""

    def __init__(self, language: Language) -> None:
        self._at = LANGUAGES.index(language)
        self.texts = {key: both[self._at] for key, both in TEXTS.items()}

    def __call__(self, key: str, n: int | None = None, **values: object) -> str:
        """The text of a key, with numbers grouped; ``n`` chooses singular or plural. Raises KeyError."""
        text = (self.texts.get(f"{key}.one") if n == 1 else None) or self.texts[key]
        shown = {"n": n, **values}
        for name, value in shown.items():
            text = text.replace(f"{{{name}}}", self.number(value) if isinstance(value, int) else str(value))
        return text

    def number(self, value: int) -> str:
        """A number as people write it."""
        return f"{value:,}"

    def duration(self, seconds: float | None) -> str:
        """Seconds in short; a dash where there are none."""
        return "–" if seconds is None else f"{seconds:,.0f} s"

    def reason(self, code: str | None, message: str | None) -> str:
        """Why an image failed: the sentence of the ledger, or in Chinese that of the code."""
        own = self.texts.get(f"code.{code}") if self._at else None
        return own or message or ""
