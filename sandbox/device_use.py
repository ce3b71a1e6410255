"""How often and how strongly a village uses its devices, hour by hour.

Derived from CLOVER (Sandwell, Winchester and others: device utilisation in a rural village in
Bahraich, India, and `devices.yaml`): the mean over the twelve months of the probability that a
device is in use in each hour of the local day, in thousandths, and its power in watts.
Copyright (c) 2018 Philip Richard Sandwell; (c) 2021 Phil Sandwell and Ben Winchester.
"""

# MIT License
#
# Copyright (c) 2018 Philip Richard Sandwell
#
# Permission is hereby granted, free of charge, to any person obtaining a copy
# of this software and associated documentation files (the "Software"), to deal
# in the Software without restriction, including without limitation the rights
# to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
# copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in all
# copies or substantial portions of the Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
# IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
# FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
# AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
# LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
# OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
# SOFTWARE.

from __future__ import annotations

from typing import Final

WATTS: Final = {
    "light": 3,
    "phone": 5,
    "radio": 10,
    "tv": 20,
    "laptop": 40,
    "fridge": 50,
    "fan": 10,
    "mill": 750,
    "workshop": 350,
    "sme": 200,
}

# Thousandths, local hours 0 to 23.
# fmt: off
USE_PER_MILLE: Final = {
    "light": (
        390, 390, 390, 390, 418, 392, 186, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 203, 584, 927, 930, 930, 880, 830,
    ),
    "phone": (
        5, 1, 0, 0, 0, 3, 13, 28, 44, 53, 56, 56,
        55, 54, 54, 55, 56, 56, 56, 56, 54, 49, 34, 19,
    ),
    "radio": (
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 100, 500, 500, 500, 250, 150, 0,
    ),
    "tv": (
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 100, 500, 500, 500, 250, 150, 0,
    ),
    "laptop": (
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 100, 500, 500, 500, 250, 150, 0,
    ),
    "fridge": (
        748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748,
        748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748,
    ),
    "fan": (
        748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748,
        748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748, 748,
    ),
    "mill": (
        36, 36, 36, 36, 36, 36, 36, 290, 363, 435, 435, 435,
        435, 435, 435, 435, 435, 435, 363, 363, 290, 218, 72, 36,
    ),
    "workshop": (
        7, 7, 7, 7, 7, 7, 7, 35, 210, 280, 350, 350,
        210, 210, 350, 350, 350, 350, 140, 70, 35, 35, 7, 7,
    ),
    "sme": (
        7, 7, 7, 7, 7, 7, 7, 35, 210, 280, 350, 350,
        210, 210, 350, 350, 350, 350, 350, 350, 140, 70, 35, 7,
    ),
}
# fmt: on
