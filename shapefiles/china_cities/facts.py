"""Hand-kept facts about the cities, used by build.py (sources and doubts: SOURCE.md)."""

MUNICIPALITIES = {110000, 120000, 310000, 500000}


def _codes(text: str) -> set[int]:
    return {int(code) for code in text.split()}


# The 15 sub-provincial cities: the list of 1994 without Chongqing, a municipality since 1997.
SUBPROVINCIAL = _codes(
    "210100 210200 220100 230100 320100 330100 330200 350200 370100 370200 420100 "
    "440100 440300 510100 610100"
)
# Cities specifically designated in the state plan (计划单列市).
PLANNED = _codes("210200 330200 350200 370200 440300")
# Capitals of provinces and autonomous regions; municipalities carry their own flag.
CAPITALS = _codes(
    "130100 140100 150100 210100 220100 230100 320100 330100 340100 350100 360100 370100 "
    "410100 420100 430100 440100 450100 460100 510100 520100 530100 540100 610100 620100 "
    "630100 640100 650100"
)

# Cities on the other side of the Qinling-Huaihe line than most of their province.
NORTH_OF_LINE = _codes("320300 320700 321300 340600 341200 341300 341600")  # 徐州 ... 亳州
SOUTH_OF_LINE = _codes("411500 610700 610900 611000 621200")  # 信阳 汉中 安康 商洛 陇南
# Cities that the line crosses, or whose side the literature disputes.
ON_THE_LINE = _codes(
    "320800 320900 340300 340400 341500 411300 411500 411700 610300 611000 621200 623000"
)

# What is cut off a Chinese name before it is spelled in pinyin: nationalities, then the type.
SUFFIX = (
    "(朝鲜族|土家族|苗族|藏族|羌族|彝族|布依族|侗族|哈尼族|壮族|傣族|白族|景颇族|傈僳族|回族|蒙古族|蒙古"
    "|哈萨克|柯尔克孜|黎族)*(自治州|自治县|特别行政区|地区|林区|市|县|盟|省)$"
)

# Readings that a dictionary of single characters gets wrong.
PINYIN = {
    140400: "Changzhi",
    141100: "Lüliang",
    150700: "Hulunbei'er",
    152500: "Xilinguole",
    211300: "Chaoyang",
    341500: "Lu'an",
    411100: "Luohe",
    540300: "Changdu",
    653000: "Kezilesu",
    654300: "Aletai",
}

# English names where pinyin is not the name in use, and homonyms with their province.
NAME_EN = {
    150100: "Hohhot",
    150600: "Ordos",
    150700: "Hulunbuir",
    150800: "Bayannur",
    150900: "Ulanqab",
    152200: "Hinggan League",
    152500: "Xilingol League",
    152900: "Alxa League",
    222400: "Yanbian Korean Autonomous Prefecture",
    230100: "Harbin",
    230200: "Qiqihar",
    230700: "Yichun (Heilongjiang)",
    232700: "Da Hinggan Ling Prefecture",
    320500: "Suzhou (Jiangsu)",
    321200: "Taizhou (Jiangsu)",
    331000: "Taizhou (Zhejiang)",
    341300: "Suzhou (Anhui)",
    350100: "Fuzhou (Fujian)",
    360900: "Yichun (Jiangxi)",
    361000: "Fuzhou (Jiangxi)",
    422800: "Enshi Tujia and Miao Autonomous Prefecture",
    429021: "Shennongjia Forestry District",
    433100: "Xiangxi Tujia and Miao Autonomous Prefecture",
    450900: "Yulin (Guangxi)",
    469025: "Baisha Li Autonomous County",
    469026: "Changjiang Li Autonomous County",
    469027: "Ledong Li Autonomous County",
    469028: "Lingshui Li Autonomous County",
    469029: "Baoting Li and Miao Autonomous County",
    469030: "Qiongzhong Li and Miao Autonomous County",
    513200: "Ngawa Tibetan and Qiang Autonomous Prefecture",
    513300: "Garze Tibetan Autonomous Prefecture",
    513400: "Liangshan Yi Autonomous Prefecture",
    522300: "Qianxinan Buyei and Miao Autonomous Prefecture",
    522600: "Qiandongnan Miao and Dong Autonomous Prefecture",
    522700: "Qiannan Buyei and Miao Autonomous Prefecture",
    532300: "Chuxiong Yi Autonomous Prefecture",
    532500: "Honghe Hani and Yi Autonomous Prefecture",
    532600: "Wenshan Zhuang and Miao Autonomous Prefecture",
    532800: "Xishuangbanna Dai Autonomous Prefecture",
    532900: "Dali Bai Autonomous Prefecture",
    533100: "Dehong Dai and Jingpo Autonomous Prefecture",
    533300: "Nujiang Lisu Autonomous Prefecture",
    533400: "Deqen Tibetan Autonomous Prefecture",
    540100: "Lhasa",
    540200: "Shigatse",
    540300: "Qamdo",
    540400: "Nyingchi",
    540600: "Nagqu",
    542500: "Ngari Prefecture",
    610800: "Yulin (Shaanxi)",
    622900: "Linxia Hui Autonomous Prefecture",
    623000: "Gannan Tibetan Autonomous Prefecture",
    632200: "Haibei Tibetan Autonomous Prefecture",
    632300: "Huangnan Tibetan Autonomous Prefecture",
    632500: "Hainan Tibetan Autonomous Prefecture (Qinghai)",
    632600: "Golog Tibetan Autonomous Prefecture",
    632700: "Yushu Tibetan Autonomous Prefecture",
    632800: "Haixi Mongol and Tibetan Autonomous Prefecture",
    650100: "Urumqi",
    650200: "Karamay",
    650400: "Turpan",
    650500: "Hami",
    652300: "Changji Hui Autonomous Prefecture",
    652700: "Bortala Mongol Autonomous Prefecture",
    652800: "Bayingolin Mongol Autonomous Prefecture",
    652900: "Aksu Prefecture",
    653000: "Kizilsu Kirghiz Autonomous Prefecture",
    653100: "Kashgar Prefecture",
    653200: "Hotan Prefecture",
    654000: "Ili Kazakh Autonomous Prefecture",
    654200: "Tacheng Prefecture",
    654300: "Altay Prefecture",
    659001: "Shihezi",
    659002: "Aral",
    659003: "Tumxuk",
    659004: "Wujiaqu",
    659005: "Beitun",
    659006: "Tiemenguan",
    659007: "Shuanghe",
    659008: "Kokdala",
    659009: "Kunyu",
    659010: "Huyanghe",
    710000: "Taiwan",
    810000: "Hong Kong",
    820000: "Macao",
}
