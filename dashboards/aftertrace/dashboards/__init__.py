"""The Streamlit dashboard: pages over the analyzer."""
