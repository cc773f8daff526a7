"""The names that others know risks by: OWASP's ten for applications of language models, and techniques of MITRE ATLAS.

Only those that a seed, a converter or a strategy of ours is an example of. Pure data.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["ATLAS", "DIRECT", "INDIRECT", "OBFUSCATION", "OWASP"]

#: OWASP Top 10 for LLM Applications 2025.
OWASP: Final[Mapping[str, str]] = {
    "LLM01:2025": "Prompt Injection",
    "LLM02:2025": "Sensitive Information Disclosure",
    "LLM05:2025": "Improper Output Handling",
    "LLM06:2025": "Excessive Agency",
    "LLM07:2025": "System Prompt Leakage",
    "LLM09:2025": "Misinformation",
    "LLM10:2025": "Unbounded Consumption",
}

DIRECT: Final = "AML.T0051.000"
INDIRECT: Final = "AML.T0051.001"
OBFUSCATION: Final = "AML.T0068"

#: MITRE ATLAS 5.6.
ATLAS: Final[Mapping[str, str]] = {
    "AML.T0029": "Denial of AI Service",
    "AML.T0034": "Cost Harvesting",
    "AML.T0048": "External Harms",
    DIRECT: "LLM Prompt Injection: Direct",
    INDIRECT: "LLM Prompt Injection: Indirect",
    "AML.T0053": "AI Agent Tool Invocation",
    "AML.T0054": "LLM Jailbreak",
    "AML.T0056": "Extract LLM System Prompt",
    "AML.T0057": "LLM Data Leakage",
    "AML.T0061": "LLM Prompt Self-Replication",
    "AML.T0062": "Discover LLM Hallucinations",
    OBFUSCATION: "LLM Prompt Obfuscation",
    "AML.T0069.002": "Discover LLM System Information: System Prompt",
    "AML.T0077": "LLM Response Rendering",
    "AML.T0086": "Exfiltration via AI Agent Tool Invocation",
    "AML.T0101": "Data Destruction via AI Agent Tool Invocation",
}
